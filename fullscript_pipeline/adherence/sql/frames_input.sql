-- From the two frames of `measure` to the engine's input tables.
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
)
SELECT
    patient_id, treatment_plan_id, product_id, line, min_num, min_den, max_num, max_den,
    coalesce(min(started_on) OVER w, min(dose_from) OVER w) AS start_on,
    -- One open end makes the whole recommendation open.
    CASE WHEN bool_or(ended_on IS NULL) OVER w THEN NULL ELSE max(ended_on) OVER w END AS stop_on,
    coalesce(dose_from, min(started_on) OVER w) AS dose_from,
    bool_or(has_implausible_date) OVER w AS has_implausible_date,
    row_number() OVER (PARTITION BY patient_id, treatment_plan_id, product_id ORDER BY line) = 1 AS is_first
FROM dated
WINDOW w AS (PARTITION BY patient_id, treatment_plan_id, product_id);

CREATE OR REPLACE TEMP TABLE adh_pools AS
SELECT row_number() OVER () AS pool_id, patient_id, product_id
FROM (SELECT DISTINCT patient_id, product_id FROM adh_recommendations);

CREATE OR REPLACE TEMP TABLE adh_keys AS
SELECT
    row_number() OVER (ORDER BY r.treatment_plan_id, r.patient_id, r.product_id) AS row_id,
    p.pool_id, r.patient_id, r.treatment_plan_id, r.product_id, r.start_on, r.stop_on, r.line,
    r.has_implausible_date
FROM adh_recommendations r
JOIN adh_pools p USING (patient_id, product_id)
WHERE r.is_first;

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
    JOIN adh_keys k USING (patient_id, treatment_plan_id, product_id)
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
    p.pool_id,
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
JOIN adh_pools p USING (patient_id, product_id);

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_recommendations;
