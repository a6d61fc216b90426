-- Changes of one kind of object, each observed day against the observation before: what marts.catalog_changes holds.
-- Columns and fillings as in changes.sql; $region, $from_at (versions up to it are only compared with), $zone.
-- The last version of a day stands for the day, so what changed and changed back inside a day is no change.
WITH touched AS (
    SELECT DISTINCT {id} AS id FROM {table} WHERE region = $region AND valid_from > $from_at
),
seen AS (
    SELECT v.{id} AS id, v.valid_from, v.removed_at IS NULL AS present, {marks} AS marks,
        min(v.valid_from) OVER (PARTITION BY v.{id}) AS first_at
    FROM {table} AS v WHERE v.region = $region AND v.{id} IN (SELECT id FROM touched)
    QUALIFY row_number() OVER (
        PARTITION BY v.{id}, timezone($zone, v.valid_from)::DATE ORDER BY v.valid_from DESC) = 1
),
pairs AS MATERIALIZED (
    SELECT id, valid_from, first_at, present, marks, lag(present) OVER one AS was_present, lag(marks) OVER one AS before,
        lag(valid_from) OVER one AS old_from
    FROM seen WINDOW one AS (PARTITION BY id ORDER BY valid_from)
)
SELECT id, 'changed' AS change, unnest(list_filter({numbers}, lambda n: marks[n] <> before[n])) AS nth,
    first_at, old_from, valid_from AS new_from, valid_from AS changed_at
FROM pairs WHERE valid_from > $from_at AND present AND was_present
UNION ALL
SELECT id, CASE WHEN was_present THEN 'removed' WHEN was_present IS NULL THEN 'added' ELSE 'returned' END,
    NULL, first_at, NULL, valid_from, valid_from
FROM pairs WHERE valid_from > $from_at AND present <> coalesce(was_present, false)
