-- The arithmetic of each row by dose period, at the highest dose.
SELECT
    patient_id, treatment_plan_id, product_id, start_on, end_on, days, units_per_day, unit, units_on_hand, units_bought,
    units_used, units_left, days_covered
FROM marts.adherence_dose_periods
WHERE clinic_id = $clinic AND dose_bound = 'highest' AND patient_id IN (SELECT unnest($ids::VARCHAR[]))
ORDER BY patient_id, treatment_plan_id, product_id, start_on
