-- A row per patient x plan x product, in the order of the file.
SELECT
    a.patient_id, p.first_name, p.last_name, p.date_of_birth, d.first_name AS practitioner_first,
    d.last_name AS practitioner_last, a.product_name, a.brand_name,
    CASE WHEN a.status = 'not_measurable' AND a.window_end <= a.as_of THEN 'ended_unmeasured' ELSE a.status END AS status,
    a.measurable, a.adherent, a.days_late,
    a.due_in_days, a.last_order_on, a.run_out_on, a.pdc_min,
    CASE WHEN a.measurable <> 'open_range' THEN a.pdc_max END AS pdc_max,
    a.window_start, a.window_end - 1 AS window_last, a.window_days, a.orders, a.dosage_text, a.reason, a.flags, a.as_of,
    a.treatment_plan_id, a.product_id
FROM marts.adherence AS a
LEFT JOIN core.patients AS p ON p.clinic_id = a.clinic_id AND p.patient_id = a.patient_id
LEFT JOIN core.practitioners AS d ON d.clinic_id = a.clinic_id AND d.practitioner_id = a.practitioner_id
WHERE a.clinic_id = $clinic AND p.removed_at IS NULL
ORDER BY p.last_name, p.first_name, a.patient_id, a.treatment_plan_id, a.product_id
