-- What was bought, and how long it lasts. One row per stream and date with a fill.

-- For each row, whatever the dose: the fills of its product, in its window and before.
CREATE OR REPLACE TEMP TABLE adh_purchases AS
SELECT
    w.row_id,
    coalesce(sum(f.orders) FILTER (f.is_valid AND f.filled_on >= w.window_start), 0)::BIGINT AS orders,
    coalesce(sum(f.packs) FILTER (f.is_valid AND NOT f.is_shared AND f.filled_on >= w.window_start), 0)::BIGINT AS packs,
    coalesce(sum(f.packs) FILTER (f.is_valid AND f.filled_on >= w.window_start), 0)::BIGINT AS most_packs,
    coalesce(bool_or(f.is_valid AND f.is_shared), false) AS has_shared_fill,
    min(f.filled_on) FILTER (f.is_valid AND f.filled_on >= w.window_start) AS first_order_on,
    max(f.filled_on) FILTER (f.is_valid AND f.filled_on >= w.window_start) AS last_order_on,
    min(f.filled_on) FILTER (f.is_valid AND NOT f.is_shared) AS first_fill_on,
    coalesce(bool_or(f.is_valid AND f.filled_on < w.window_start), false) AS has_earlier_fill,
    coalesce(bool_or(f.is_valid AND f.num IS NULL), false) AS has_unknown_units,
    coalesce(bool_or(NOT f.is_valid), false) AS has_invalid_quantity,
    min(f.num::DOUBLE / f.den / f.packs) FILTER (f.is_valid) AS smallest_pack,
    max(f.num::DOUBLE / f.den / f.packs) FILTER (f.is_valid) AS largest_pack
FROM adh_windows w
LEFT JOIN adh_fills f ON f.pool_id = w.pool_id AND f.filled_on < w.window_end
GROUP BY w.row_id;

CREATE OR REPLACE TEMP TABLE adh_supply AS
WITH fills AS (
    SELECT
        s.stream_id,
        f.filled_on,
        -- Dividing 128-bit numbers is slow, and most packs are whole numbers.
        sum(f.num::HUGEINT * CASE WHEN f.den = 1 THEN s.unit_scale ELSE s.unit_scale // f.den END)::HUGEINT AS units
    FROM adh_fills f
    JOIN adh_streams s USING (pool_id)
    -- Of what several people share, the highest dose counts nothing and the lowest everything.
    WHERE f.is_valid AND f.num IS NOT NULL AND (NOT f.is_shared OR s.stream_id % 2 = 1)
    GROUP BY s.stream_id, f.filled_on
),
placed AS (
    SELECT
        f.stream_id,
        f.filled_on,
        f.units,
        f.units * g.parts_per_unit AS days_supply,
        g.anchor_position + (f.filled_on - g.anchor_on) * g.rate AS position,
        sum(f.units) OVER (PARTITION BY f.stream_id ORDER BY f.filled_on ROWS UNBOUNDED PRECEDING) AS bought
    FROM fills f
    JOIN adh_segments g ON g.stream_id = f.stream_id AND f.filled_on >= g.from_on AND f.filled_on < g.to_on
),
-- The closed form of the method's section 10: a running sum and a running maximum.
lasting AS (
    SELECT
        *,
        (bought + max(position - (bought - units)) OVER w)::HUGEINT AS lasts_to_position,
        lead(filled_on) OVER w AS next_fill_on
    FROM placed
    WINDOW w AS (PARTITION BY stream_id ORDER BY filled_on ROWS UNBOUNDED PRECEDING)
)
SELECT
    l.stream_id,
    l.filled_on,
    l.filled_on - DATE '0001-01-01' AS fill_day,
    coalesce(l.next_fill_on, DATE '9999-12-31') - DATE '0001-01-01' AS next_fill_day,
    l.units,
    l.days_supply,
    l.position,
    l.bought,
    l.lasts_to_position,
    g.anchor_day * g.day_scale + (l.lasts_to_position - g.anchor_position) * g.parts_per_unit AS lasts_to
FROM lasting l
JOIN adh_segments g
    ON g.stream_id = l.stream_id
    AND l.lasts_to_position >= g.from_position
    AND l.lasts_to_position < g.to_position;
