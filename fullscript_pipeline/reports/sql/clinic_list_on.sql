-- Who was on the call list at the end of a day, and since when that is known.
SELECT
    coalesce(list(patient_id) FILTER (
        list_contains($verdicts::VARCHAR[], verdict) AND since <= $day AND coalesce(until > $day, true)
    ), []) AS patient_ids,
    min(since) AS known_since
FROM marts.patient_verdicts
WHERE clinic_id = $clinic
