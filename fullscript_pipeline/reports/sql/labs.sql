-- Lab orders that are still there, and panels of active plans that were not ordered; of $ids (NULL: everybody) and in
-- $states (NULL: all).
WITH first_pull AS (SELECT min(known_at) AS pulled_at FROM history.lab_orders WHERE clinic_id = $clinic),
labs AS (
    SELECT
        patient_id, practitioner_id, name, state, state_raw, timezone($zone, valid_from)::DATE AS since,
        -- The view shows the latest version: its start is the day the state was first seen. Nothing says what was before.
        coalesce(valid_from >= pulled_at
            AND timezone($zone, valid_from)::DATE = timezone($zone, pulled_at)::DATE, false) AS is_since_first_pull
    FROM core.lab_orders
    CROSS JOIN first_pull
    WHERE clinic_id = $clinic AND removed_at IS NULL
    UNION ALL
    SELECT patient_id, practitioner_id, name, 'recommended', NULL, recommended_on, false
    FROM marts.unordered_panels
    WHERE clinic_id = $clinic
)
SELECT patient_id, practitioner_id, name, state, state_raw, since, is_since_first_pull
FROM labs
WHERE ($ids::VARCHAR[] IS NULL OR patient_id IN (SELECT unnest($ids::VARCHAR[])))
    AND ($states::VARCHAR[] IS NULL OR list_contains($states::VARCHAR[], state))
ORDER BY patient_id, since DESC, name
