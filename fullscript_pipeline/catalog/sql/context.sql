-- What a change touches: names of its product and brand as of `seen_at`, and active treatment plans as of now.
-- {found} is the union of the changes found, with an `entity` and the `place` of that kind in the output.
WITH found AS ({found}),
products AS (SELECT product_id, name, brand_id, valid_from FROM history.products WHERE region = $region),
brands AS (SELECT brand_id, name, valid_from FROM history.brands WHERE region = $region),
placed AS (
    SELECT f.* REPLACE (coalesce(f.brand_id, p.brand_id) AS brand_id), p.name AS product_name
    FROM found AS f ASOF LEFT JOIN products AS p ON p.product_id = f.product_id AND p.valid_from <= f.seen_at
),
recommended AS (
    SELECT DISTINCT r.clinic_id, r.treatment_plan_id, r.variant_id, v.product_id, p.brand_id
    FROM core.recommendations AS r
    JOIN core.clinics AS c ON c.clinic_id = r.clinic_id AND c.region = $region
    JOIN core.treatment_plans AS t ON t.clinic_id = r.clinic_id AND t.treatment_plan_id = r.treatment_plan_id
    LEFT JOIN core.variants AS v ON v.region = $region AND v.variant_id = r.variant_id
    LEFT JOIN core.products AS p ON p.region = $region AND p.product_id = v.product_id
    WHERE r.removed_at IS NULL AND t.removed_at IS NULL AND t.state = 'active'
),
touched AS (
    SELECT entity, id, count(DISTINCT (clinic_id, treatment_plan_id)) AS active_plans
    FROM (
        SELECT 'variant' AS entity, variant_id AS id, clinic_id, treatment_plan_id FROM recommended
        UNION ALL SELECT 'product', product_id, clinic_id, treatment_plan_id FROM recommended
        UNION ALL SELECT 'brand', brand_id, clinic_id, treatment_plan_id FROM recommended
    )
    WHERE id IN (SELECT entity_id FROM found)
    GROUP BY ALL
)
SELECT $region AS region, f.changed_on, f.entity, f.entity_id, f.product_id, f.brand_id, f.change, f.field,
    f.old_value, f.new_value, coalesce(t.active_plans, 0) AS active_plans, f.entity_name, f.product_name,
    b.name AS brand_name
FROM placed AS f
ASOF LEFT JOIN brands AS b ON b.brand_id = f.brand_id AND b.valid_from <= f.seen_at
LEFT JOIN touched AS t ON t.entity = f.entity AND t.id = f.entity_id
ORDER BY f.place, b.name, f.product_name, f.entity_name, f.entity_id, f.field NULLS FIRST
