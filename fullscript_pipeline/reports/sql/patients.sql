-- Patients who have something to measure and are still in Fullscript.
SELECT a.patient_id, p.first_name, p.last_name, p.date_of_birth, coalesce(p.archived, false) AS archived
FROM (
    SELECT DISTINCT clinic_id, patient_id FROM marts.adherence
    WHERE clinic_id = $clinic AND ($everyone OR patient_id IN (SELECT unnest($ids::VARCHAR[])))
) AS a
LEFT JOIN core.patients AS p ON p.clinic_id = a.clinic_id AND p.patient_id = a.patient_id
WHERE p.removed_at IS NULL
ORDER BY a.patient_id
