-- What a change touches and when it happened: names of its product and brand as of $named_at, active treatment
-- plans as of now, the time that an event tells. {found} is the union of the changes found, with an `entity` and its `place`.
-- A debut is a product's first version; it is new, not merely unknown before, where an earlier complete listing lacked
-- it, where a category that was read before came to show it and nothing else had led to it, or where an event says so.
WITH rung AS (
    SELECT v.product_id, e.event_type, e.created_at AS at
    FROM core.events AS e, unnest(list_distinct(
        coalesce(json_extract_string(e.extra, '$.data.product.variants[*].id'), [])
        || coalesce(json_extract_string(e.extra, '$.data.variants[*].id'), []))) AS told(variant_id)
    JOIN core.variants AS v ON v.region = $region AND v.variant_id = told.variant_id
    WHERE e.event_type LIKE 'product.%' AND e.created_at > $from_at::TIMESTAMPTZ - INTERVAL 2 DAY
    UNION
    SELECT resource_id, event_type, created_at FROM core.events
    WHERE event_type LIKE 'product.%' AND resource_id IS NOT NULL AND created_at > $from_at::TIMESTAMPTZ - INTERVAL 2 DAY
),
doors AS (
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
        OR coalesce(f.first_at >= doors.first_at, false)
        OR f.product_id IN (SELECT product_id FROM rung WHERE event_type = 'product.created') AS is_new
    FROM (
        SELECT product_id, min(valid_from) AS first_at FROM history.products WHERE region = $region GROUP BY product_id
    ) AS f
    LEFT JOIN doors USING (product_id)
    CROSS JOIN (
        SELECT min(observed_at) AS first_at FROM ops.pulls
        WHERE region = $region AND resource = 'products' AND outcome = 'loaded' AND complete
    ) AS listed
),
found AS ({found}),
placed AS (
    SELECT f.* REPLACE (coalesce(f.brand_id, p.brand_id) AS brand_id), p.name AS product_name,
        CASE WHEN f.change = 'added' THEN 'product.created' WHEN f.change <> 'changed' THEN NULL
            WHEN f.field = 'description_html' THEN 'product.description.updated' ELSE 'product.updated' END AS bell
    FROM found AS f
    LEFT JOIN (
        SELECT product_id, name, brand_id FROM history.products
        WHERE region = $region AND valid_from <= $named_at AND (valid_to IS NULL OR valid_to > $named_at)
    ) AS p ON p.product_id = f.product_id
),
observations AS (
    SELECT DISTINCT observed_at AS at FROM ops.pulls
    WHERE region = $region AND outcome = 'loaded' AND resource IN ('products', 'products_by_id', 'categories')
),
-- An event dates a change when it rang after the last observation that still showed the old value.
dated AS (
    SELECT r.product_id, r.event_type, o.at AS seen_by, max(r.at) AS at
    FROM rung AS r ASOF JOIN observations AS o ON o.at >= r.at
    GROUP BY ALL
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
SELECT $region AS region, f.place, timezone($zone, coalesce(d.at, f.changed_at))::DATE AS changed_on, f.entity, f.entity_id,
    f.product_id, f.brand_id, f.change, f.field, f.old_value, f.new_value, coalesce(t.active_plans, 0) AS active_plans,
    f.entity_name, f.product_name, b.name AS brand_name, timezone($zone, f.changed_at)::DATE AS seen_on,
    CASE WHEN f.field IN ('msrp', 'units') THEN TRY_CAST(f.old_value AS DECIMAL(18,4)) END AS old_number,
    CASE WHEN f.field IN ('msrp', 'units') THEN TRY_CAST(f.new_value AS DECIMAL(18,4)) END AS new_number,
    new_number - old_number AS delta,
    round((new_number - old_number) / nullif(old_number, 0) * 100, 2)::DECIMAL(18,2) AS delta_percent
FROM placed AS f
LEFT JOIN (
    SELECT brand_id, name FROM history.brands
    WHERE region = $region AND valid_from <= $named_at AND (valid_to IS NULL OR valid_to > $named_at)
) AS b ON b.brand_id = f.brand_id
LEFT JOIN dated AS d ON d.product_id = f.product_id AND d.event_type = f.bell AND d.seen_by = f.changed_at
LEFT JOIN touched AS t ON t.entity = f.entity AND t.id = f.entity_id
