-- Changes of one kind of object, each observed day against the observation before: what marts.catalog_changes holds.
-- Filled in by changes.py like changes.sql; $region, $from_at (versions up to it are only compared with), $zone.
-- The last version of a day stands for the day, so what changed and changed back inside a day is no change.
WITH touched AS (
    SELECT DISTINCT {id} AS id FROM {table} WHERE region = $region AND valid_from > $from_at
),
baseline AS (
    SELECT timezone($zone, min(valid_from))::DATE AS first_on FROM {table} WHERE region = $region
),
versions AS (
    SELECT v.{id} AS id, v.valid_from, timezone($zone, v.valid_from)::DATE AS changed_on, v.removed_at IS NULL AS present,
        {product_id} AS product_id, {brand_id} AS brand_id, {name} AS name, {fields} AS fields
    FROM {table} AS v WHERE v.region = $region AND v.{id} IN (SELECT id FROM touched)
    QUALIFY row_number() OVER (PARTITION BY v.{id}, changed_on ORDER BY v.valid_from DESC) = 1
),
pairs AS (
    SELECT *, lag(present) OVER one AS was_present, lag(fields) OVER one AS old_fields
    FROM versions WINDOW one AS (PARTITION BY id ORDER BY valid_from)
),
fresh AS (SELECT * FROM pairs WHERE valid_from > $from_at),
moves AS (
    SELECT id, valid_from, changed_on, product_id, brand_id, name, unnest(old_fields) AS was, unnest(fields) AS now
    FROM fresh WHERE present AND was_present
)
SELECT changed_on, id AS entity_id, product_id, brand_id, 'changed' AS change, now.field AS field,
    was.value AS old_value, now.value AS new_value, name AS entity_name, valid_from AS seen_at
FROM moves
WHERE was.value IS DISTINCT FROM now.value
    -- A server that does not name a variant's product has not moved it.
    AND (now.field <> 'product_id' OR (was.value IS NOT NULL AND now.value IS NOT NULL))
UNION ALL
SELECT changed_on, id, product_id, brand_id,
    CASE WHEN was_present THEN 'removed' WHEN was_present IS NULL THEN 'added' ELSE 'returned' END,
    NULL, NULL, NULL, name, valid_from
FROM fresh, baseline
WHERE present <> coalesce(was_present, false) AND (was_present IS NOT NULL OR changed_on > first_on)
