-- Refunded orders per patient and product. A variant without a known product is its own product, as in the mart.
SELECT o.patient_id, coalesce(v.product_id, 'variant:' || li.variant_id) AS product_id,
    count(DISTINCT o.order_id) AS refunded_orders
FROM core.orders AS o
JOIN core.clinics AS c ON c.clinic_id = $clinic
JOIN core.order_line_items AS li ON li.clinic_id = $clinic AND li.order_id = o.order_id
LEFT JOIN core.variants AS v ON v.region = c.region AND v.variant_id = li.variant_id
WHERE o.clinic_id = $clinic AND o.is_refunded AND o.removed_at IS NULL AND li.variant_id IS NOT NULL
    AND o.patient_id IN (SELECT unnest($ids::VARCHAR[]))
GROUP BY ALL
