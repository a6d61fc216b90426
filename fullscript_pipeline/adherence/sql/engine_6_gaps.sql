-- Gaps at the highest dose: maximal runs of days that are not fully covered, and how many days of supply each lacks.
CREATE OR REPLACE TEMP TABLE adh_gaps AS
WITH pieces AS (
    -- After each fill until the next one.
    SELECT
        b.row_id,
        b.day_scale,
        greatest(s.lasts_to, b.start_day * b.day_scale) AS piece_from,
        least(s.next_fill_day, b.end_day) AS piece_to_day
    FROM adh_bounds b
    JOIN adh_supply s ON s.stream_id = b.stream_id AND s.filled_on < b.window_end AND s.next_fill_day > b.start_day
    WHERE NOT b.is_lowest AND s.lasts_to < least(s.next_fill_day, b.end_day) * b.day_scale
    UNION ALL
    -- Before the first fill of all.
    SELECT
        b.row_id,
        b.day_scale,
        b.start_day * b.day_scale,
        least(coalesce(p.first_fill_on, b.window_end), b.window_end) - DATE '0001-01-01'
    FROM adh_bounds b
    JOIN adh_purchases p USING (row_id)
    WHERE NOT b.is_lowest AND coalesce(p.first_fill_on, b.window_end) > b.window_start
),
days AS (
    SELECT
        row_id,
        day_scale,
        (piece_from // day_scale)::BIGINT AS from_day,
        piece_to_day AS to_day,
        piece_to_day * day_scale - piece_from AS length
    FROM pieces
),
-- A fill that does not last a whole day leaves two pieces on neighbouring days: one gap.
marked AS (
    SELECT *, from_day IS DISTINCT FROM lag(to_day) OVER (PARTITION BY row_id ORDER BY from_day, to_day) AS is_new
    FROM days
),
numbered AS (
    SELECT *, sum(is_new::INTEGER) OVER (PARTITION BY row_id ORDER BY from_day, to_day) AS gap_number FROM marked
)
SELECT
    n.row_id,
    n.gap_number,
    DATE '0001-01-01' + min(n.from_day)::INTEGER AS gap_start,
    DATE '0001-01-01' + max(n.to_day)::INTEGER AS gap_end,
    sum(n.length)::HUGEINT AS length,
    any_value(n.day_scale) AS day_scale,
    max(n.to_day) = any_value(w.window_end) - DATE '0001-01-01' AS is_open,
    -- A gap that starts with the window breaks nothing off.
    min(n.from_day) > any_value(w.window_start) - DATE '0001-01-01' AS follows_cover
FROM numbered n
JOIN adh_windows w USING (row_id)
GROUP BY n.row_id, n.gap_number;

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_supply;
