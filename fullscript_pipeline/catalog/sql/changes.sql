-- Selects the versions of one kind of object to compare for two instants. A row per object that got a version between
-- them: id, old_from and new_from (the versions' valid_from; NULL: not known before), was_present, is_present, first_at,
-- seen_at. By known time, not valid time: "old" is the version known at $from_at, "new" the last one known at $to_at;
-- versions between them are ignored. Filled in by changes.py: {table}, {id}, {known_at}; $region, $from_at, $to_at.
WITH touched AS (
    SELECT DISTINCT {id} AS id FROM {table} WHERE region = $region AND {known_at} > $from_at AND {known_at} <= $to_at
),
-- A version known at $from_at ended no earlier than the first one that was learned afterwards began.
reach AS (SELECT min(valid_from) AS begins FROM {table} WHERE region = $region AND {known_at} > $from_at),
seen AS (
    SELECT {id} AS id, valid_from, {known_at} AS seen_at, {known_at} <= $from_at AS is_old, removed_at IS NULL AS present
    FROM {table}
    WHERE region = $region AND {known_at} <= $to_at AND {id} IN (SELECT id FROM touched)
        AND (valid_to IS NULL OR valid_to >= (SELECT begins FROM reach))
)
SELECT id, max(valid_from) FILTER (is_old) AS old_from, max(valid_from) AS new_from,
    coalesce(arg_max(present, valid_from) FILTER (is_old), false) AS was_present,
    arg_max(present, valid_from) AS is_present, min(seen_at) AS first_at, max(seen_at) AS seen_at
FROM seen GROUP BY id
