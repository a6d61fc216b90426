-- Patients who have something to measure and are still in Fullscript.
SELECT
    a.patient_id, p.first_name, p.last_name, p.date_of_birth, coalesce(p.archived, false) AS archived, p.external_id,
    p.email, p.mobile_number, p.text_message_notification AS texts_on, p.guardian_patient_id,
    g.first_name AS guardian_first_name, g.last_name AS guardian_last_name, g.email AS guardian_email,
    g.mobile_number AS guardian_mobile_number, g.text_message_notification AS guardian_texts_on
FROM (
    SELECT DISTINCT clinic_id, patient_id FROM marts.adherence
    WHERE clinic_id = $clinic AND ($everyone OR patient_id IN (SELECT unnest($ids::VARCHAR[])))
) AS a
LEFT JOIN core.patients AS p ON p.clinic_id = a.clinic_id AND p.patient_id = a.patient_id
LEFT JOIN core.patients AS g
    ON g.clinic_id = p.clinic_id AND g.patient_id = p.guardian_patient_id AND g.removed_at IS NULL
WHERE p.removed_at IS NULL
ORDER BY a.patient_id
