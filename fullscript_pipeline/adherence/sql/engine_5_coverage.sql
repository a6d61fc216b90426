-- Coverage of each row at each bound of its dose (is_lowest: the lowest dose, so the most coverage).

-- A row whose window holds a day on which the pool's dose is not known, and the row that dose belongs to.
CREATE OR REPLACE TEMP TABLE adh_blocked AS
SELECT w.row_id, g.stream_id, min(g.row_id) AS blocking_row_id
FROM adh_windows w
JOIN adh_streams s USING (pool_id)
JOIN adh_segments g ON g.stream_id = s.stream_id AND g.from_on < w.window_end AND g.to_on > w.window_start
WHERE NOT g.is_known
GROUP BY w.row_id, g.stream_id;

-- Rows that can be measured at a bound, with the need axis and the dose at both ends of the window.
CREATE OR REPLACE TEMP TABLE adh_bounds AS
SELECT
    w.row_id,
    s.stream_id,
    s.stream_id % 2 = 1 AS is_lowest,
    w.window_start,
    w.window_end,
    w.window_start - DATE '0001-01-01' AS start_day,
    w.window_end - DATE '0001-01-01' AS end_day,
    s.unit_scale,
    s.day_scale,
    a.rate AS start_rate,
    a.parts_per_unit AS start_parts,
    z.rate AS end_rate,
    a.anchor_position + (w.window_start - a.anchor_on) * a.rate AS start_position,
    z.anchor_position + (w.window_end - z.anchor_on) * z.rate AS end_position
FROM adh_windows w
JOIN adh_streams s USING (pool_id)
JOIN adh_own o
    ON o.row_id = w.row_id
    AND NOT CASE WHEN s.stream_id % 2 = 1 THEN o.has_no_lowest ELSE o.has_no_highest END
JOIN adh_segments a ON a.stream_id = s.stream_id AND w.window_start >= a.from_on AND w.window_start < a.to_on
JOIN adh_segments z ON z.stream_id = s.stream_id AND w.window_end > z.from_on AND w.window_end <= z.to_on
ANTI JOIN adh_blocked k ON k.row_id = w.row_id AND k.stream_id = s.stream_id;

CREATE OR REPLACE TEMP TABLE adh_coverage AS
WITH intervals AS (
    SELECT
        b.row_id,
        b.is_lowest,
        s.filled_on,
        s.filled_on >= b.window_start AS in_window,
        s.units,
        s.days_supply,
        s.position,
        s.lasts_to_position,
        s.lasts_to,
        greatest(
            0,
            least(s.lasts_to, least(s.next_fill_day, b.end_day) * b.day_scale)
            - greatest(s.fill_day, b.start_day) * b.day_scale
        )::HUGEINT AS covered
    FROM adh_bounds b
    JOIN adh_supply s ON s.stream_id = b.stream_id AND s.filled_on < b.window_end
)
SELECT
    row_id,
    is_lowest,
    sum(covered)::HUGEINT AS covered,
    max(lasts_to_position) AS lasts_to_position,
    max(lasts_to) AS lasts_to,
    max(lasts_to_position) FILTER (NOT in_window) AS carried_to_position,
    min(position) FILTER (in_window) AS first_fill_position,
    min(filled_on) FILTER (in_window) AS first_fill_on,
    max(filled_on) FILTER (in_window) AS last_fill_on,
    coalesce(sum(units) FILTER (in_window), 0)::HUGEINT AS units,
    coalesce(sum(days_supply) FILTER (in_window), 0)::HUGEINT AS days_supply,
    arg_max(days_supply, filled_on) FILTER (in_window) AS last_days_supply,
    -- Without stock left over at the first fill of the window, the pool's own intervals are those of CMA5 and CMA6.
    coalesce(sum(covered) FILTER (in_window), 0)::HUGEINT AS covered_since_first,
    arg_max(covered, filled_on) FILTER (in_window) AS covered_by_last
FROM intervals
GROUP BY row_id, is_lowest;

-- Where stock was left over at the first fill of the window: the same closed form, counting in-window fills only.
CREATE OR REPLACE TEMP TABLE adh_fresh AS
WITH own AS (
    SELECT
        b.row_id,
        b.is_lowest,
        b.stream_id,
        b.day_scale,
        b.end_day,
        s.filled_on,
        s.fill_day,
        s.next_fill_day,
        (s.bought + max(s.position - (s.bought - s.units)) OVER w)::HUGEINT AS lasts_to_position
    FROM adh_coverage c
    JOIN adh_bounds b USING (row_id, is_lowest)
    JOIN adh_supply s
        ON s.stream_id = b.stream_id AND s.filled_on >= b.window_start AND s.filled_on < b.window_end
    WHERE c.carried_to_position > c.first_fill_position
    WINDOW w AS (PARTITION BY b.row_id, b.is_lowest ORDER BY s.filled_on)
),
intervals AS (
    SELECT
        o.row_id,
        o.is_lowest,
        o.filled_on,
        (least(
            g.anchor_day * g.day_scale + (o.lasts_to_position - g.anchor_position) * g.parts_per_unit,
            least(o.next_fill_day, o.end_day) * o.day_scale
        ) - o.fill_day * o.day_scale)::HUGEINT AS covered
    FROM own o
    JOIN adh_segments g
        ON g.stream_id = o.stream_id
        AND o.lasts_to_position >= g.from_position
        AND o.lasts_to_position < g.to_position
)
SELECT
    row_id,
    is_lowest,
    sum(covered)::HUGEINT AS covered_since_first,
    arg_max(covered, filled_on) AS covered_by_last
FROM intervals
GROUP BY row_id, is_lowest;
