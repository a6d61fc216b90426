-- Net changes of one kind of object between two instants: id, change, nth (a field's number, NULL for the object
-- itself), first_at, old_from and new_from (the versions to compare), changed_at. Filled in by changes.py: {table},
-- {id}, {marks} (a hash per field: values are only read where they differ), {numbers}; $region, $from_at, $to_at.
-- "Old" is the version valid at $from_at, "new" the last one up to $to_at; what happened between them is folded.
WITH touched AS (
    SELECT DISTINCT {id} AS id FROM {table} WHERE region = $region AND valid_from > $from_at AND valid_from <= $to_at
),
seen AS MATERIALIZED (
    SELECT v.{id} AS id, v.valid_from, v.valid_from <= $from_at AS is_old, v.removed_at IS NULL AS present,
        {marks} AS marks
    FROM {table} AS v
    WHERE v.region = $region AND v.valid_from <= $to_at AND (v.valid_to IS NULL OR v.valid_to > $from_at)
        AND v.{id} IN (SELECT id FROM touched)
),
ends AS (
    SELECT id, bool_or(is_old) AS was_known, coalesce(bool_or(is_old AND present), false) AS was_present,
        arg_max(present, valid_from) AS is_present, min(valid_from) AS first_at, max(valid_from) AS new_from,
        arg_min(marks, valid_from) AS old_marks, arg_max(marks, valid_from) AS new_marks
    FROM seen GROUP BY id
),
steps AS (
    SELECT id, valid_from, marks, lag(marks) OVER (PARTITION BY id ORDER BY valid_from) AS before
    FROM seen WHERE present
),
moved AS (
    SELECT id, nth, max(valid_from) AS changed_at
    FROM (
        SELECT id, valid_from, unnest(list_filter({numbers}, lambda n: marks[n] <> before[n])) AS nth
        FROM steps WHERE before IS NOT NULL
    )
    GROUP BY id, nth
),
differing AS (
    SELECT id, first_at, new_from, unnest(list_filter({numbers}, lambda n: old_marks[n] <> new_marks[n])) AS nth
    FROM ends WHERE was_present AND is_present
),
turns AS (
    SELECT id, valid_from, present IS DISTINCT FROM lag(present) OVER (PARTITION BY id ORDER BY valid_from) AS turned
    FROM seen
),
turned AS (SELECT id, max(valid_from) AS changed_at FROM turns WHERE turned GROUP BY id)
SELECT id, 'changed' AS change, nth, first_at, first_at AS old_from, new_from, changed_at
FROM differing JOIN moved USING (id, nth)
UNION ALL
SELECT id, CASE WHEN was_present THEN 'removed' WHEN was_known THEN 'returned' ELSE 'added' END,
    NULL, first_at, NULL, new_from, changed_at
FROM ends JOIN turned USING (id) WHERE was_present <> is_present
