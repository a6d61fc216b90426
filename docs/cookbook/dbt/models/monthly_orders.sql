SELECT
    clinic.name AS clinic_name,
    date_trunc('month', bought.completed_on) AS month,
    count(DISTINCT bought.order_id) AS orders,
    sum(line.quantity) AS packs,
    count(DISTINCT bought.patient_id) AS patients
FROM {{ source('core', 'orders') }} AS bought
JOIN {{ source('core', 'order_line_items') }} AS line USING (clinic_id, order_id)
JOIN {{ source('core', 'clinics') }} AS clinic USING (clinic_id)
WHERE bought.removed_at IS NULL AND line.removed_at IS NULL AND NOT bought.is_refunded
GROUP BY ALL
