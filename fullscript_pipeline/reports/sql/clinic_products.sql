-- One row per patient and recommended product: the plan that counts today.
SELECT
    patient_id, practitioner_id, product_id, product_name, brand_name, coalesce(variant_ids, []) AS variant_ids,
    CASE WHEN status = 'not_measurable' AND window_end <= as_of THEN 'ended_unmeasured' ELSE status END AS status,
    measurable, days_late, due_in_days, run_out_on, window_start, plan_started_on, last_order_on
FROM marts.adherence
WHERE clinic_id = $clinic AND is_current IS NOT FALSE
ORDER BY patient_id, product_name, product_id
