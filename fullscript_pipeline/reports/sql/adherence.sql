SELECT
    patient_id, treatment_plan_id, product_id, as_of, window_start, window_end, window_days, measurable,
    -- Nothing needs asking about a line that is over.
    CASE WHEN status = 'not_measurable' AND window_end <= as_of THEN 'ended_unmeasured' ELSE status END AS status,
    adherent, pdc_min, pdc_max, on_hand_days, run_out_on, coalesce(orders, 0) AS orders,
    coalesce(flags, []) AS flags, reason, practitioner_id, product_name, brand_name, plan_started_on, dosage_text,
    units_per_day_min, units_per_day_max, unit, duration_kind, duration_days, supply_ratio, course_supply_ratio,
    longest_gap_days, last_order_on, last_order_quantity, last_order_units::DOUBLE AS last_order_units,
    units_supplied, carry_in_units, on_hand_units, days_late, due_in_days, run_out_on_latest, refill,
    units_to_purchase, dose_since, share_verdict, is_current IS NOT FALSE AS is_current, continued_by
FROM marts.adherence
WHERE clinic_id = $clinic AND patient_id IN (SELECT unnest($ids::VARCHAR[]))
ORDER BY patient_id, treatment_plan_id, product_id
