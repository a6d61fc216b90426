-- Lab orders that are still there, and panels of active plans that no lab order of the plan answers.
WITH first_pull AS (SELECT min(known_at) AS pulled_at FROM history.lab_orders WHERE clinic_id = $clinic)
SELECT
    patient_id, name, state, state_raw, timezone($zone, valid_from)::DATE AS since,
    -- The view shows the latest version: its start is the day the state was first seen. Nothing says what was before.
    coalesce(valid_from >= pulled_at
        AND timezone($zone, valid_from)::DATE = timezone($zone, pulled_at)::DATE, false) AS is_since_first_pull
FROM core.lab_orders
CROSS JOIN first_pull
WHERE clinic_id = $clinic AND removed_at IS NULL AND patient_id IN (SELECT unnest($ids::VARCHAR[]))
UNION ALL
SELECT p.patient_id, r.name, 'recommended', NULL, p.available_at::DATE, false
FROM core.lab_recommendations AS r
JOIN core.treatment_plans AS p ON p.clinic_id = r.clinic_id AND p.treatment_plan_id = r.treatment_plan_id
ANTI JOIN (SELECT * FROM core.lab_orders WHERE removed_at IS NULL) AS o
    ON o.clinic_id = r.clinic_id AND o.treatment_plan_id = r.treatment_plan_id
WHERE r.clinic_id = $clinic AND r.removed_at IS NULL AND p.removed_at IS NULL AND lower(trim(p.state)) = 'active'
    AND p.patient_id IN (SELECT unnest($ids::VARCHAR[]))
ORDER BY patient_id, since DESC, name
