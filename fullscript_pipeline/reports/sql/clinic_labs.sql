-- Lab orders in one of the states that somebody must act on, and panels of active plans that nothing was ordered for.
WITH orders AS (
    SELECT
        patient_id, practitioner_id, name, state, timezone($zone, valid_from)::DATE AS since,
        -- Nothing says what was before the first pull.
        coalesce(valid_from >= f.pulled_at
            AND timezone($zone, valid_from)::DATE = timezone($zone, f.pulled_at)::DATE, false) AS is_since_first_pull
    FROM core.lab_orders
    CROSS JOIN (SELECT min(known_at) AS pulled_at FROM history.lab_orders WHERE clinic_id = $clinic) AS f
    WHERE clinic_id = $clinic AND removed_at IS NULL AND list_contains($states::VARCHAR[], state)
),
panels AS (
    SELECT
        p.patient_id, p.practitioner_id, r.name, 'recommended' AS state, p.available_at::DATE AS since,
        false AS is_since_first_pull
    FROM core.lab_recommendations AS r
    JOIN core.treatment_plans AS p ON p.clinic_id = r.clinic_id AND p.treatment_plan_id = r.treatment_plan_id
    ANTI JOIN (SELECT * FROM core.lab_orders WHERE removed_at IS NULL) AS o
        ON o.clinic_id = r.clinic_id AND o.treatment_plan_id = r.treatment_plan_id
    WHERE r.clinic_id = $clinic AND r.removed_at IS NULL AND p.removed_at IS NULL AND lower(trim(p.state)) = 'active'
)
SELECT patient_id, practitioner_id, name, state, since, is_since_first_pull FROM orders
UNION ALL
SELECT patient_id, practitioner_id, name, state, since, is_since_first_pull FROM panels
ORDER BY since, patient_id, name
