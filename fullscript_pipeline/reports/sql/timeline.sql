SELECT patient_id, treatment_plan_id, product_id, kind, start_on, end_on, quantity, units, label
FROM marts.adherence_timeline
WHERE clinic_id = $clinic AND patient_id IN (SELECT unnest($ids::VARCHAR[]))
ORDER BY patient_id, treatment_plan_id, product_id, start_on, kind
