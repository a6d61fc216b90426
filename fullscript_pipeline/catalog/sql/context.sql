-- Adds to each change the names of its product and brand as known at $named_at, and the active treatment plans of now.
-- {changes} is the union of the changes, with an `entity` and its `place`. A change counts from its version, which an
-- event may have dated (warehouse/loading/valid_time.py). A debut is a product's first version. The product is new (and
-- was not only unknown before) if an earlier complete listing lacked it, if a category that was read before began to
-- show it and no other source had, or if an event reported its creation and so dates it.
WITH category_debuts AS (
    SELECT m.product_id, min(m.valid_from) AS first_at
    FROM history.category_memberships AS m
    JOIN (
        SELECT clinic_id, category_id, min(first_at) AS first_at
        FROM (
            SELECT clinic_id, category_id, valid_from AS first_at FROM history.category_memberships
            UNION ALL SELECT clinic_id, category_id, observed_at FROM core.categories
        )
        GROUP BY ALL
    ) AS category USING (clinic_id, category_id)
    WHERE m.region = $region AND m.removed_at IS NULL AND m.valid_from > category.first_at
    GROUP BY m.product_id
),
debuts AS MATERIALIZED (
    SELECT f.product_id, f.first_at, coalesce(f.first_at > listed.first_at, false)
        OR coalesce(f.first_at >= category_debuts.first_at, false) OR f.dated_by_event AS is_new
    FROM (
        SELECT product_id, min(known_at) AS first_at, arg_min(valid_from < known_at, valid_from) AS dated_by_event
        FROM history.products WHERE region = $region GROUP BY product_id
    ) AS f
    LEFT JOIN category_debuts USING (product_id)
    CROSS JOIN (
        SELECT min(observed_at) AS first_at FROM ops.pulls
        WHERE region = $region AND resource = 'products' AND outcome = 'loaded' AND complete
    ) AS listed
),
changes AS ({changes}),
products AS (
    SELECT product_id, arg_max(name, valid_from) AS name, arg_max(brand_id, valid_from) AS brand_id
    FROM history.products WHERE region = $region AND known_at <= $named_at GROUP BY product_id
),
brands AS (
    SELECT brand_id, arg_max(name, valid_from) AS name
    FROM history.brands WHERE region = $region AND known_at <= $named_at GROUP BY brand_id
),
placed AS (
    SELECT f.* REPLACE (coalesce(f.brand_id, p.brand_id) AS brand_id), p.name AS product_name
    FROM changes AS f LEFT JOIN products AS p ON p.product_id = f.product_id
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
    GROUP BY ALL
)
SELECT $region AS region, f.place, timezone($zone, f.changed_at)::DATE AS changed_on, f.entity, f.entity_id,
    f.product_id, f.brand_id, f.change, f.field, f.old_value, f.new_value, coalesce(t.active_plans, 0) AS active_plans,
    f.entity_name, f.product_name, b.name AS brand_name, timezone($zone, f.seen_at)::DATE AS seen_on,
    CASE WHEN f.field IN ('msrp', 'units') THEN TRY_CAST(f.old_value AS DECIMAL(18,4)) END AS old_number,
    CASE WHEN f.field IN ('msrp', 'units') THEN TRY_CAST(f.new_value AS DECIMAL(18,4)) END AS new_number,
    f.change = 'changed' AND coalesce(old_number = new_number, true) AS may_be_cosmetic, new_number - old_number AS delta,
    round((new_number - old_number) / nullif(old_number, 0) * 100, 2)::DECIMAL(18,2) AS delta_percent
FROM placed AS f
LEFT JOIN brands AS b ON b.brand_id = f.brand_id
LEFT JOIN touched AS t ON t.entity = f.entity AND t.id = f.entity_id
