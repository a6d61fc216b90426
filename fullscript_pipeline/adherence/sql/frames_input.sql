-- From the two frames of `measure` to the engine's input tables, for the pools from adh_first_pool to adh_end_pool.
-- A date that nobody can mean is none. An end far away is as good as none, and says so as it is.
CREATE OR REPLACE TEMP TABLE adh_recommendations AS
WITH dated AS (
    SELECT
        f.* EXCLUDE ("start", "end", dose_from),
        adh_plausible("start", y.as_of) AS started_on,
        adh_plausible(dose_from, y.as_of) AS dose_from,
        CASE WHEN "end" >= DATE '2000-01-01' THEN "end" END AS ended_on,
        "start" IS DISTINCT FROM started_on OR f.dose_from IS DISTINCT FROM adh_plausible(f.dose_from, y.as_of)
            OR "end" IS DISTINCT FROM ended_on AS has_implausible_date
    FROM adh_recommendation_frame f
    CROSS JOIN adh_policy y
    WHERE f.pool_id >= getvariable('adh_first_pool') AND f.pool_id < getvariable('adh_end_pool')
)
SELECT
    pool_id, treatment_plan_id, line, min_num, min_den, max_num, max_den,
    coalesce(min(started_on) OVER w, min(dose_from) OVER w) AS start_on,
    -- One open end makes the whole recommendation open.
    CASE WHEN bool_or(ended_on IS NULL) OVER w THEN NULL ELSE max(ended_on) OVER w END AS stop_on,
    coalesce(dose_from, min(started_on) OVER w) AS dose_from,
    bool_or(has_implausible_date) OVER w AS has_implausible_date,
    line = min(line) OVER w AS is_first
FROM dated
WINDOW w AS (PARTITION BY pool_id, treatment_plan_id);

CREATE OR REPLACE TEMP TABLE adh_keys AS
SELECT
    row_number() OVER (ORDER BY treatment_plan_id, pool_id) AS row_id,
    pool_id, treatment_plan_id, start_on, stop_on, line, has_implausible_date
FROM adh_recommendations
WHERE is_first;

-- Doses that are no dose (zero, below zero, falling) are unknown; so are two different doses from one day.
CREATE OR REPLACE TEMP TABLE adh_doses AS
WITH usable AS (
    SELECT
        k.row_id,
        r.dose_from,
        CASE WHEN r.max_num > 0 AND is_rising THEN struct_pack(num := r.max_num, den := r.max_den) END AS highest,
        CASE WHEN r.min_num > 0 AND is_rising THEN struct_pack(num := r.min_num, den := r.min_den) END AS lowest
    FROM (
        SELECT *, coalesce(min_num::HUGEINT * max_den <= max_num::HUGEINT * min_den, true) AS is_rising
        FROM adh_recommendations
    ) r
    JOIN adh_keys k USING (pool_id, treatment_plan_id)
)
SELECT
    row_id,
    dose_from,
    CASE WHEN is_single THEN lowest.num END AS min_num,
    CASE WHEN is_single THEN lowest.den END AS min_den,
    CASE WHEN is_single THEN highest.num END AS max_num,
    CASE WHEN is_single THEN highest.den END AS max_den,
    NULL::VARCHAR AS problem
FROM (
    SELECT
        row_id,
        dose_from,
        any_value(lowest) AS lowest,
        any_value(highest) AS highest,
        count(DISTINCT (lowest, highest)) = 1 AS is_single
    FROM usable
    GROUP BY row_id, dose_from
);

CREATE OR REPLACE TEMP TABLE adh_rows AS
SELECT
    k.row_id,
    k.pool_id,
    k.start_on,
    k.stop_on,
    NULL::DATE AS course_end,
    NULL::VARCHAR AS ended_by,
    NULL::BOOLEAN AS refill,
    NULL::BIGINT AS units_to_purchase,
    NULL::VARCHAR AS measurable,
    k.has_implausible_date,
    false AS has_unread_refill,
    false AS has_undated_order,
    false AS has_naming_order,
    false AS has_unread_length
FROM adh_keys k;

CREATE OR REPLACE TEMP TABLE adh_fills AS
SELECT
    f.pool_id,
    f.filled_on + y.delivery_lag_days AS filled_on,
    f.num,
    f.den,
    NULL::BIGINT AS packs,
    1::BIGINT AS orders,
    coalesce(f.num > 0, true) AS is_valid,
    f.is_shared,
    coalesce(f.num > 10000000000 * f.den::HUGEINT, false) AS is_too_large
FROM adh_fill_frame f
CROSS JOIN adh_policy y
WHERE f.pool_id >= getvariable('adh_first_pool') AND f.pool_id < getvariable('adh_end_pool');

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_recommendations;
