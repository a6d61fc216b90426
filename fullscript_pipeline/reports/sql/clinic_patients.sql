-- Everybody of the clinic who is still in Fullscript, also without a plan, with whom to call.
SELECT
    coalesce(p.patient_id, a.patient_id) AS patient_id, p.first_name, p.last_name, p.date_of_birth,
    coalesce(p.archived, false) AS archived, p.email, p.mobile_number,
    coalesce(p.text_message_notification, true) AS has_texts_on,
    p.guardian_patient_id, g.first_name AS guardian_first_name, g.last_name AS guardian_last_name,
    g.email AS guardian_email, g.mobile_number AS guardian_mobile_number, a.patient_id IS NOT NULL AS has_page
FROM (SELECT * FROM core.patients WHERE clinic_id = $clinic) AS p
FULL JOIN (SELECT DISTINCT patient_id FROM marts.adherence WHERE clinic_id = $clinic) AS a USING (patient_id)
LEFT JOIN core.patients AS g
    ON g.clinic_id = p.clinic_id AND g.patient_id = p.guardian_patient_id AND g.removed_at IS NULL
WHERE p.removed_at IS NULL
ORDER BY 1
