-- Products by an id, a name, or a SKU, UPC or id of a variant, past ones included; `found_by` says which. Of a product
-- the best way to find it counts. Names are compared without case and composition (NFC). $word, $region.
WITH hits AS (
    SELECT region, product_id, 0 AS rank, 'id' AS found_by FROM core.products WHERE product_id = $word
    UNION ALL
    SELECT h.region, h.product_id, CASE WHEN h.valid_to IS NULL THEN 1 ELSE 5 END,
        CASE WHEN h.valid_to IS NULL THEN 'name' ELSE 'former name' END
    FROM history.products AS h WHERE nfc_normalize(lower(trim(h.name))) = nfc_normalize(lower($word))
    UNION ALL
    SELECT v.region, coalesce(c.product_id, v.product_id), k.rank + CASE WHEN v.valid_to IS NULL THEN 0 ELSE 5 END,
        concat(CASE WHEN v.valid_to IS NULL THEN '' ELSE 'former ' END, k.kind)
    FROM history.variants AS v
    JOIN core.variants AS c ON c.region = v.region AND c.variant_id = v.variant_id
    CROSS JOIN (VALUES (2, 'variant id'), (3, 'SKU'), (4, 'UPC')) AS k (rank, kind)
    WHERE $word = CASE k.rank WHEN 2 THEN v.variant_id WHEN 3 THEN v.sku ELSE v.upc END
),
best AS (
    SELECT region, product_id, min(rank) AS rank, arg_min(found_by, rank) AS found_by FROM hits
    WHERE $region IS NULL OR region = $region GROUP BY ALL
)
SELECT p.region, p.product_id, p.name, b.name AS brand_name, p.brand_id, best.found_by
FROM best
JOIN core.products AS p ON p.region = best.region AND p.product_id = best.product_id
LEFT JOIN core.brands AS b ON b.region = p.region AND b.brand_id = p.brand_id
ORDER BY ALL
