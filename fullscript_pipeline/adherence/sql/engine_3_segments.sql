-- Whole numbers instead of fractions. In each stream, units are counted in 1/unit_scale, so that every dose and every
-- pack is an integer; days in 1/day_scale, so that every time a stock runs out is an integer.
-- "Position" is the need axis of the method: the units needed since the stream's first dose step.
-- Limits keep every product below 2^127: unit_scale 10^8, day_scale 10^13, a fill 10^10 units (is_too_large). A stream
-- beyond them is left out, and its rows are reported as out_of_bounds: an overflow would fail the whole statement.

CREATE OR REPLACE TEMP TABLE adh_streams AS
WITH denominators AS (
    SELECT stream_id, dose_den AS den FROM adh_dose_steps
    UNION
    SELECT s.stream_id, f.den
    FROM (SELECT DISTINCT pool_id, den FROM adh_fills WHERE den > 1) f
    JOIN (SELECT DISTINCT pool_id, stream_id FROM adh_dose_steps) s USING (pool_id)
),
common AS (
    SELECT
        stream_id,
        list_reduce(
            list(den::HUGEINT),
            lambda a, b: CASE WHEN a <= 100000000 AND b <= 100000000 THEN lcm(a, b) END
        ) AS den
    FROM denominators
    GROUP BY stream_id
),
unit_scales AS (
    SELECT stream_id, CASE WHEN den <= 100000000 THEN den END AS unit_scale FROM common
),
rates AS (
    SELECT DISTINCT
        s.pool_id,
        s.stream_id,
        u.unit_scale,
        s.dose_num::HUGEINT * (u.unit_scale // s.dose_den) AS rate
    FROM adh_dose_steps s
    JOIN unit_scales u USING (stream_id)
),
too_large AS (
    SELECT DISTINCT pool_id FROM adh_fills WHERE is_too_large
)
SELECT
    pool_id,
    stream_id,
    any_value(unit_scale) AS unit_scale,
    list_reduce(
        list(rate), lambda a, b: CASE WHEN a <= 10000000000000 AND b <= 10000000000000 THEN lcm(a, b) END
    ) AS day_scale
FROM rates
ANTI JOIN too_large USING (pool_id)
GROUP BY pool_id, stream_id
HAVING count(rate) = count(*) AND day_scale <= 10000000000000;

CREATE OR REPLACE TEMP TABLE adh_segments AS
WITH steps AS (
    SELECT
        s.stream_id,
        d.row_id,
        d.is_known,
        d.day AS anchor_on,
        s.unit_scale,
        s.day_scale,
        d.dose_num::HUGEINT * (s.unit_scale // d.dose_den) AS rate,
        lead(d.day) OVER w AS next_on,
        lag(d.day) OVER w AS previous_on
    FROM adh_dose_steps d
    JOIN adh_streams s USING (stream_id)
    WINDOW w AS (PARTITION BY s.stream_id ORDER BY d.day)
),
placed AS (
    SELECT
        *,
        coalesce(
            sum((next_on - anchor_on) * rate) OVER (
                PARTITION BY stream_id ORDER BY anchor_on ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        )::HUGEINT AS anchor_position
    FROM steps
)
SELECT
    stream_id,
    row_id,
    is_known,
    unit_scale,
    day_scale,
    rate,
    -- What one unit of stock lasts in whole parts of a day; here once, because dividing 128-bit numbers is slow.
    day_scale // rate AS parts_per_unit,
    anchor_position,
    anchor_on - DATE '0001-01-01' AS anchor_day,
    anchor_on,
    CASE WHEN previous_on IS NULL THEN DATE '0001-01-01' ELSE anchor_on END AS from_on,
    coalesce(next_on, DATE '9999-12-31') AS to_on,
    CASE WHEN previous_on IS NULL THEN -1e37::HUGEINT ELSE anchor_position END AS from_position,
    CASE WHEN next_on IS NULL THEN 1e37::HUGEINT ELSE anchor_position + (next_on - anchor_on) * rate END AS to_position
FROM placed;

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_dose_steps;
