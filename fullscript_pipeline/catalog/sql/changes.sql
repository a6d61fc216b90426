-- Net changes of one kind of object between two instants, from its history. Filled in by changes.py: {table}, {id},
-- {product_id}, {brand_id}, {name} and {fields} (a list of struct (field, value)); $region, $from_at, $to_at, $zone.
-- "Old" is the version valid at $from_at, "new" the last one up to $to_at; what happened between them is folded.
WITH touched AS (
    SELECT DISTINCT {id} AS id FROM {table} WHERE region = $region AND valid_from > $from_at AND valid_from <= $to_at
),
-- The kind's first observation is the baseline: what was seen that day was not added that day.
baseline AS (
    SELECT timezone($zone, min(valid_from))::DATE AS first_on FROM {table} WHERE region = $region
),
versions AS (
    SELECT t.id, v.valid_from, v.valid_from <= $from_at AS is_old, v.removed_at IS NULL AS present,
        {product_id} AS product_id, {brand_id} AS brand_id, {name} AS name, {fields} AS fields
    FROM touched AS t
    JOIN {table} AS v ON v.{id} = t.id AND v.region = $region
    WHERE v.valid_from <= $to_at AND (v.valid_to IS NULL OR v.valid_to > $from_at)
),
steps AS (
    SELECT id, valid_from, present, present IS DISTINCT FROM lag(present) OVER (PARTITION BY id ORDER BY valid_from) AS turned
    FROM versions
),
ends AS (
    SELECT id, bool_or(is_old) AS was_known, coalesce(bool_or(is_old AND present), false) AS was_present,
        last(present ORDER BY valid_from) AS is_present, min(valid_from) AS first_at,
        last(product_id ORDER BY valid_from) AS product_id, last(brand_id ORDER BY valid_from) AS brand_id,
        last(name ORDER BY valid_from) AS name,
        first(fields ORDER BY valid_from) AS old_fields, last(fields ORDER BY valid_from) AS new_fields
    FROM versions GROUP BY id
),
presence AS (
    SELECT e.id,
        CASE WHEN e.was_present THEN 'removed' WHEN e.was_known THEN 'returned' ELSE 'added' END AS change,
        (SELECT max(s.valid_from) FROM steps AS s WHERE s.id = e.id AND s.turned) AS changed_at
    FROM ends AS e, baseline AS b
    WHERE e.was_present <> e.is_present AND (e.was_known OR timezone($zone, e.first_at)::DATE > b.first_on)
),
-- Fields that differ between the two ends; `nth` is the field's place in the list.
differing AS (
    SELECT * FROM (
        SELECT id, unnest(old_fields) AS was, unnest(new_fields) AS now, generate_subscripts(new_fields, 1) AS nth
        FROM ends WHERE was_present AND is_present
    )
    WHERE was.value IS DISTINCT FROM now.value
        -- A server that does not name a variant's product has not moved it.
        AND (now.field <> 'product_id' OR (was.value IS NOT NULL AND now.value IS NOT NULL))
),
moves AS (
    SELECT d.id, d.nth, v.valid_from, v.fields[d.nth].value IS DISTINCT FROM lag(v.fields[d.nth].value) OVER one AS moved,
        row_number() OVER one AS step
    FROM differing AS d JOIN versions AS v ON v.id = d.id AND v.present
    WINDOW one AS (PARTITION BY d.id, d.nth ORDER BY v.valid_from)
),
moved AS (SELECT id, nth, max(valid_from) AS changed_at FROM moves WHERE moved AND step > 1 GROUP BY id, nth),
found AS (
    SELECT id, 'changed' AS change, now.field AS field, was.value AS old_value, now.value AS new_value, changed_at
    FROM differing JOIN moved USING (id, nth)
    UNION ALL
    SELECT id, change, NULL, NULL, NULL, changed_at FROM presence
)
SELECT timezone($zone, f.changed_at)::DATE AS changed_on, f.id AS entity_id, e.product_id, e.brand_id, f.change, f.field,
    f.old_value, f.new_value, e.name AS entity_name,
    $to_at::TIMESTAMPTZ AS seen_at
FROM found AS f JOIN ends AS e USING (id)
