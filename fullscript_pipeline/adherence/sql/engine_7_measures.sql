-- The measures of the method's section 5 at each bound of the dose; the only divisions are here.

-- The quotient of two whole numbers as the nearest double; NULL for an empty denominator. Numbers a double cannot hold
-- are reduced first.
CREATE OR REPLACE TEMP MACRO adh_ratio(num, den) AS
    CASE
        WHEN den <= 0 THEN NULL
        WHEN num < 9007199254740992 AND den < 9007199254740992 THEN num::DOUBLE / den::DOUBLE
        ELSE (num // gcd(num, den))::DOUBLE / (den // gcd(num, den))::DOUBLE
    END;

CREATE OR REPLACE TEMP TABLE adh_sides AS
WITH needs AS (
    SELECT b.row_id, b.is_lowest, g.anchor_position + (r.course_end - g.anchor_on) * g.rate - b.start_position AS need
    FROM adh_bounds b
    JOIN adh_rows r ON r.row_id = b.row_id AND r.course_end > b.window_start
    JOIN adh_segments g ON g.stream_id = b.stream_id AND r.course_end > g.from_on AND r.course_end <= g.to_on
),
figures AS (
    SELECT
        b.row_id,
        b.is_lowest,
        b.window_end,
        b.unit_scale,
        b.day_scale,
        b.start_rate,
        b.start_parts,
        b.end_rate,
        b.end_day - b.start_day AS days,
        b.end_day - (c.first_fill_on - DATE '0001-01-01') AS days_since_first,
        c.last_fill_on - c.first_fill_on AS days_between,
        coalesce(c.covered, 0)::HUGEINT AS covered,
        coalesce(f.covered_since_first, c.covered_since_first) AS covered_since_first,
        coalesce(f.covered_by_last, c.covered_by_last) AS covered_by_last,
        coalesce(c.units, 0)::HUGEINT AS units,
        coalesce(c.days_supply, 0)::HUGEINT AS days_supply,
        c.last_days_supply,
        greatest(0, coalesce(c.carried_to_position - b.start_position, 0))::HUGEINT AS start_stock,
        greatest(0, coalesce(c.lasts_to_position - b.end_position, 0))::HUGEINT AS end_stock,
        coalesce(c.lasts_to >= b.end_day * b.day_scale, false) AS is_covered,
        n.need
    FROM adh_bounds b
    LEFT JOIN adh_coverage c USING (row_id, is_lowest)
    LEFT JOIN adh_fresh f USING (row_id, is_lowest)
    LEFT JOIN needs n USING (row_id, is_lowest)
)
SELECT
    row_id,
    is_lowest,
    adh_ratio(covered, days * day_scale) AS pdc,
    covered * threshold_den >= threshold_num * days * day_scale AS reaches_threshold,
    covered > 0 AS has_cover,
    is_covered,
    adh_ratio(days * day_scale - covered, day_scale) AS gap_days,
    adh_ratio(covered_since_first, days_since_first * day_scale) AS pdc_since_first_order,
    adh_ratio(covered_since_first - covered_by_last, days_between * day_scale) AS cma5,
    adh_ratio(days_supply - last_days_supply, days_between * day_scale) AS cma1,
    adh_ratio(days_supply, days_since_first * day_scale) AS cma2,
    adh_ratio(start_stock * start_parts + days_supply, days * day_scale) AS supply_ratio,
    adh_ratio(least(start_stock + units, need), need) AS course_supply_ratio,
    adh_ratio(start_stock, unit_scale) AS carry_in_units,
    adh_ratio(start_stock, start_rate) AS carry_in_days,
    adh_ratio(units, unit_scale) AS units_supplied,
    adh_ratio(end_stock, unit_scale) AS on_hand_units,
    adh_ratio(end_stock, end_rate) AS on_hand_days,
    -- A date beyond what a calendar holds is no date.
    CASE
        WHEN is_covered AND end_stock // end_rate < DATE '9999-12-31' - window_end
            THEN window_end + (end_stock // end_rate)::INTEGER
    END AS lasts_until,
    adh_ratio(end_rate, unit_scale) AS end_dose
FROM figures, adh_policy;

CREATE OR REPLACE TEMP TABLE adh_gap_summary AS
SELECT
    row_id,
    max(adh_ratio(length, day_scale)) AS longest_gap_days,
    count(*) FILTER (follows_cover AND NOT is_open AND length > permissible_gap_days * day_scale) AS breaks,
    coalesce(bool_or(is_open AND length > permissible_gap_days * day_scale), false) AS has_long_open_gap,
    min(gap_start) FILTER (is_open) AS open_gap_start
FROM adh_gaps, adh_policy
GROUP BY row_id;

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_segments;
DROP TABLE adh_coverage;
DROP TABLE adh_fresh;
