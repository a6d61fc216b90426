-- Lists the fields that differ between the versions that a comparison selected, with both values. A field has the
-- vendor's path as its name.
-- {compared} is changes.sql or daily.sql of the same kind; the rest is filled in from entities.py. {differs} is a number
-- that has the bit of each field (by its place in entities.py) that differs between two versions `s` and `n`.
WITH spans AS MATERIALIZED ({compared}),
pairs AS (
    SELECT p.*, s.valid_to AS ended, s.valid_from = p.old_from AS is_old, {differs} AS bits
    FROM spans AS p
    JOIN {table} AS n ON n.region = $region AND n.{id} = p.id AND n.valid_from = p.new_from
    JOIN {table} AS s ON s.region = $region AND s.{id} = p.id
        AND s.valid_from >= p.old_from AND s.valid_from < p.new_from
    WHERE p.was_present AND p.is_present
),
-- A field changed when the last version with another value ended.
moved AS (
    SELECT id, nth, any_value(first_at) AS first_at, any_value(old_from) AS old_from, new_from,
        max(ended) AS changed_at, any_value(seen_at) AS seen_at
    FROM pairs JOIN range(1, {untyped} + 1) AS f(nth) ON bits & (1 << nth) <> 0
    GROUP BY id, new_from, nth HAVING bool_or(is_old)
),
turned AS (
    SELECT p.id, CASE WHEN p.was_present THEN 'removed' WHEN p.old_from IS NULL THEN 'added' ELSE 'returned' END AS change,
        p.first_at, p.new_from, p.seen_at, coalesce(
            max(s.valid_to) FILTER ((s.removed_at IS NULL) <> p.is_present), min(s.valid_from), p.new_from) AS changed_at
    FROM spans AS p
    LEFT JOIN {table} AS s ON s.region = $region AND s.{id} = p.id AND s.valid_from < p.new_from
        AND s.valid_from >= coalesce(p.old_from, '-infinity'::TIMESTAMPTZ)
    WHERE p.was_present <> p.is_present
    GROUP BY p.id, p.first_at, p.old_from, p.new_from, p.was_present, p.is_present, p.seen_at
),
p AS (
    SELECT id, 'changed' AS change, nth, first_at, old_from, new_from, changed_at, seen_at FROM moved
    UNION ALL BY NAME SELECT * FROM turned
),
-- The kind's first observation is the baseline: objects seen that day were not added that day. Later, an object first
-- seen is new if an earlier complete listing lacked it or {proof}; otherwise it was only unknown.
listed AS (
    SELECT min(observed_at) AS first_at FROM ops.pulls
    WHERE region = $region AND resource = '{listing}' AND outcome = 'loaded' AND complete
),
baseline AS (
    SELECT timezone($zone, min({known_at}))::DATE AS first_on FROM {table} WHERE region = $region
),
typed AS (
    SELECT p.*, {product_id} AS product_id, {brand_id} AS brand_id, {path} AS field, {old_value} AS old_value,
        {new_value} AS new_value, {name} AS entity_name
    FROM p
    JOIN {table} AS n ON n.region = $region AND n.{id} = p.id AND n.valid_from = p.new_from
    LEFT JOIN {table} AS o ON o.region = $region AND o.{id} = p.id AND o.valid_from = p.old_from
    LEFT JOIN debuts AS d ON d.product_id = {product_id}
    CROSS JOIN listed CROSS JOIN baseline
    WHERE p.nth IS DISTINCT FROM {untyped} AND (p.change <> 'added' OR (
        timezone($zone, p.first_at)::DATE > baseline.first_on
        AND (coalesce(p.first_at > listed.first_at, false) OR coalesce({proof}, false))))
),
-- Keys that no column holds. A key that appears or disappears is drift of the format, not of the catalog.
keys AS (
    SELECT p.*, {product_id} AS product_id, {brand_id} AS brand_id, {name} AS entity_name,
        unnest(json_keys({new_extra})) AS field, {old_extra} AS old_extra, {new_extra} AS new_extra
    FROM p
    JOIN {table} AS n ON n.region = $region AND n.{id} = p.id AND n.valid_from = p.new_from
    JOIN {table} AS o ON o.region = $region AND o.{id} = p.id AND o.valid_from = p.old_from
    WHERE p.nth = {untyped}
),
untyped AS (
    SELECT *, json_extract_string(old_extra, concat('$."', field, '"')) AS old_value,
        json_extract_string(new_extra, concat('$."', field, '"')) AS new_value
    FROM keys WHERE NOT list_contains({known}, field) AND NOT contains(field, '"')
),
-- A key that changes on most objects at once is bookkeeping (a counter, a time of rendering), not a catalog change.
news AS (
    SELECT *, count(*) OVER (PARTITION BY field, seen_at) AS together FROM untyped
    WHERE old_value IS NOT NULL AND new_value IS NOT NULL AND old_value <> new_value
    QUALIFY together < 10 OR together * 2 < (
        SELECT count(*) FROM {table} WHERE region = $region AND valid_to IS NULL AND removed_at IS NULL)
)
SELECT changed_at, seen_at, id AS entity_id, product_id, brand_id, change, field, old_value, new_value, entity_name
FROM typed
-- A variant without a product id in the answer has not moved to another product.
WHERE field IS DISTINCT FROM 'product_id' OR (old_value IS NOT NULL AND new_value IS NOT NULL)
UNION ALL
SELECT changed_at, seen_at, id, product_id, brand_id, change, field, old_value, new_value, entity_name FROM news
