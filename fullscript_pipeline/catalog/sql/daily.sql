-- Selects the versions of one kind of object to compare for each observed day and the observation before it. Columns and
-- placeholders as in changes.sql. Days are those on which versions were seen, by $zone, from $from_at (exclusive: versions
-- known by then are only compared with) to $to_at. The last version of a day is compared, so a value that changed and
-- changed back within a day is no change.
WITH touched AS (
    SELECT DISTINCT {id} AS id FROM {table} WHERE region = $region AND {known_at} > $from_at AND {known_at} <= $to_at
),
reach AS (SELECT min(valid_from) AS begins FROM {table} WHERE region = $region AND {known_at} > $from_at),
seen AS (
    SELECT {id} AS id, timezone($zone, {known_at})::DATE AS day, max(valid_from) AS new_from,
        arg_max(removed_at IS NULL, valid_from) AS is_present, min({known_at}) AS first_at, max({known_at}) AS seen_at
    FROM {table}
    WHERE region = $region AND {known_at} <= $to_at AND {id} IN (SELECT id FROM touched)
        AND (valid_to IS NULL OR valid_to >= (SELECT begins FROM reach))
    GROUP BY ALL
)
SELECT id, lag(new_from) OVER versions AS old_from, new_from,
    coalesce(lag(is_present) OVER versions, false) AS was_present, is_present, first_at, seen_at
FROM seen WINDOW versions AS (PARTITION BY id ORDER BY new_from) QUALIFY seen_at > $from_at
