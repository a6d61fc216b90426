-- Patients with an id of the clinic's own or with plans that can be opened in Fullscript, the newest plan first.
SELECT
    p.patient_id, p.external_id,
    coalesce(
        (SELECT list(t.treatment_plan_id ORDER BY t.created_at DESC, t.treatment_plan_id)
         FROM core.treatment_plans AS t
         WHERE t.clinic_id = p.clinic_id AND t.patient_id = p.patient_id AND t.removed_at IS NULL
           AND lower(t.state) IN ('active', 'draft')),
        []) AS treatment_plan_ids
FROM core.patients AS p
WHERE p.clinic_id = $clinic AND p.removed_at IS NULL
ORDER BY 1
