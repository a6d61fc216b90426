-- Each row's window cut where the dose in force changes: what was on hand, bought, used and left, at each bound.
-- It closes in whole numbers: on hand + bought - used = left, and what a period leaves the next one has on hand.
CREATE OR REPLACE TEMP TABLE adh_dose_periods AS
WITH pieces AS (
    SELECT
        b.row_id, b.is_lowest, b.stream_id, b.unit_scale, b.day_scale, g.rate, g.row_id AS dose_row_id,
        greatest(g.from_on, b.window_start) AS start_on,
        least(g.to_on, b.window_end) AS end_on,
        g.anchor_position + (greatest(g.from_on, b.window_start) - g.anchor_on) * g.rate AS position
    FROM adh_bounds b
    JOIN adh_segments g ON g.stream_id = b.stream_id AND g.from_on < b.window_end AND g.to_on > b.window_start
),
marked AS (
    SELECT
        *,
        (rate, dose_row_id) IS DISTINCT FROM
            lag((rate, dose_row_id)) OVER (PARTITION BY row_id, is_lowest ORDER BY start_on) AS is_new
    FROM pieces
),
numbered AS (
    SELECT *, sum(is_new::INTEGER) OVER (PARTITION BY row_id, is_lowest ORDER BY start_on) AS period FROM marked
),
periods AS (
    SELECT
        row_id, is_lowest, stream_id, unit_scale, day_scale, rate, dose_row_id, period,
        min(start_on) AS start_on,
        max(end_on) AS end_on,
        min(position) AS start_position,
        min(position) + (max(end_on) - min(start_on)) * rate AS end_position,
        min(start_on) - DATE '0001-01-01' AS start_day,
        max(end_on) - DATE '0001-01-01' AS end_day
    FROM numbered
    GROUP BY row_id, is_lowest, stream_id, unit_scale, day_scale, rate, dose_row_id, period
)
SELECT
    p.row_id, p.is_lowest, p.unit_scale, p.day_scale, p.rate, p.dose_row_id, p.start_on, p.end_on,
    greatest(
        0, coalesce(max(s.lasts_to_position) FILTER (s.filled_on < p.start_on) - p.start_position, 0)
    )::HUGEINT AS on_hand,
    coalesce(sum(s.units) FILTER (s.filled_on >= p.start_on), 0)::HUGEINT AS bought,
    coalesce(sum(greatest(
        0,
        least(s.lasts_to, least(s.next_fill_day, p.end_day) * p.day_scale)
        - greatest(s.fill_day, p.start_day) * p.day_scale
    )) FILTER (s.filled_on IS NOT NULL), 0)::HUGEINT AS covered,
    greatest(0, coalesce(max(s.lasts_to_position) - p.end_position, 0))::HUGEINT AS remaining
FROM periods p
LEFT JOIN adh_supply s ON s.stream_id = p.stream_id AND s.filled_on < p.end_on
GROUP BY
    p.row_id, p.is_lowest, p.unit_scale, p.day_scale, p.rate, p.dose_row_id, p.start_on, p.end_on, p.start_position,
    p.end_position;
