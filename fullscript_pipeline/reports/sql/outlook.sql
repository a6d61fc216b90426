-- One row per patient x plan x product, patients together: what the clinic page sorts and counts.
SELECT
    a.patient_id, p.first_name, p.last_name, p.date_of_birth, coalesce(p.archived, false) AS archived, a.practitioner_id,
    a.product_name,
    CASE WHEN a.status = 'not_measurable' AND a.window_end <= a.as_of THEN 'ended_unmeasured' ELSE a.status END AS status,
    a.days_late, a.due_in_days, a.run_out_on
FROM marts.adherence AS a
LEFT JOIN core.patients AS p ON p.clinic_id = a.clinic_id AND p.patient_id = a.patient_id
WHERE a.clinic_id = $clinic AND p.removed_at IS NULL
ORDER BY a.patient_id
