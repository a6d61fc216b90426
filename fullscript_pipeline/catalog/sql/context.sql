-- What a change touches and when it happened: names of its product and brand as of `seen_at`, active treatment plans
-- as of now, the time that an event tells. {found} is the union of the changes found, with an `entity` and its `place`.
-- Arrivals are products that are new and were not merely unknown: an earlier complete listing lacked them, a category
-- that was read before shows them since the observation that first saw them, or an event says so.
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
first_versions AS (
    SELECT product_id, min(valid_from) AS first_at FROM history.products WHERE region = $region
    GROUP BY product_id HAVING first_at > $from_at
),
arrivals AS MATERIALIZED (
    SELECT product_id, first_at FROM first_versions AS f
    WHERE f.first_at > (SELECT min(observed_at) FROM ops.pulls
            WHERE region = $region AND resource = 'products' AND outcome = 'loaded' AND complete)
        OR f.product_id IN (SELECT product_id FROM rung WHERE event_type = 'product.created')
        OR (f.product_id, f.first_at) IN (
            SELECT (m.product_id, m.valid_from) FROM history.category_memberships AS m
            JOIN history.category_memberships AS other
                ON other.clinic_id = m.clinic_id AND other.category_id = m.category_id
                AND other.valid_from < m.valid_from
            WHERE m.region = $region AND m.removed_at IS NULL AND m.valid_from > $from_at)
),
found AS ({found}),
products AS (SELECT product_id, name, brand_id, valid_from FROM history.products WHERE region = $region),
brands AS (SELECT brand_id, name, valid_from FROM history.brands WHERE region = $region),
placed AS (
    SELECT f.* REPLACE (coalesce(f.brand_id, p.brand_id) AS brand_id), p.name AS product_name,
        CASE WHEN f.change = 'added' THEN 'product.created' WHEN f.change <> 'changed' THEN NULL
            WHEN f.field = 'description_html' THEN 'product.description.updated' ELSE 'product.updated' END AS bell
    FROM found AS f ASOF LEFT JOIN products AS p ON p.product_id = f.product_id AND p.valid_from <= f.seen_at
),
observations AS (
    SELECT DISTINCT observed_at AS at FROM ops.pulls
    WHERE region = $region AND outcome = 'loaded' AND resource IN ('products', 'products_by_id', 'categories')
),
-- An event dates a change when it rang after the last observation that still showed the old value.
timed AS (
    SELECT p.*, CASE WHEN p.field IN ('msrp', 'units') THEN TRY_CAST(p.old_value AS DECIMAL(18,4)) END AS old_number,
        CASE WHEN p.field IN ('msrp', 'units') THEN TRY_CAST(p.new_value AS DECIMAL(18,4)) END AS new_number,
        CASE WHEN r.at > o.at THEN r.at ELSE p.changed_at END AS happened_at
    FROM placed AS p
    ASOF LEFT JOIN rung AS r ON r.product_id = p.product_id AND r.event_type = p.bell AND r.at <= p.changed_at
    ASOF LEFT JOIN observations AS o ON o.at < p.changed_at
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
SELECT $region AS region, timezone($zone, f.happened_at)::DATE AS changed_on, f.entity, f.entity_id, f.product_id,
    f.brand_id, f.change, f.field, f.old_value, f.new_value, coalesce(t.active_plans, 0) AS active_plans,
    f.entity_name, f.product_name, b.name AS brand_name, timezone($zone, f.changed_at)::DATE AS seen_on,
    f.new_number - f.old_number AS delta,
    round((f.new_number - f.old_number) / nullif(f.old_number, 0) * 100, 2)::DECIMAL(18,2) AS delta_percent
FROM timed AS f
ASOF LEFT JOIN brands AS b ON b.brand_id = f.brand_id AND b.valid_from <= f.seen_at
LEFT JOIN touched AS t ON t.entity = f.entity AND t.id = f.entity_id
ORDER BY f.place, b.name, f.product_name, f.entity_name, f.entity_id, f.field NULLS FIRST
