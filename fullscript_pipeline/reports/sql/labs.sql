-- Lab orders that are still there. The view shows the latest version: its start is the day the state was first seen.
SELECT patient_id, name, state, state_raw, timezone($zone, valid_from)::DATE AS since
FROM core.lab_orders
WHERE clinic_id = $clinic AND removed_at IS NULL AND patient_id IN (SELECT unnest($ids::VARCHAR[]))
ORDER BY patient_id, valid_from DESC, lab_order_id
