-- The dose in force in each pool (patient and product), day by day, as segments of constant dose.
-- A stream is a pool consumed at the highest dose (even id, lower bound of coverage) or, where any dose is a range,
-- also at the lowest (odd id, upper bound).

-- A row's own doses as periods; what was in force before the first known dose is that dose.
CREATE OR REPLACE TEMP TABLE adh_periods AS
SELECT
    row_id,
    CASE WHEN lag(dose_from) OVER w IS NULL THEN DATE '0001-01-01' ELSE dose_from END AS period_from,
    coalesce(lead(dose_from) OVER w, DATE '9999-12-31') AS period_to,
    dose_from,
    max_num, max_den, min_num, min_den, problem
FROM adh_doses
WINDOW w AS (PARTITION BY row_id ORDER BY dose_from);

-- What a row's own doses in its window (or on its first day, when it has not started) allow to measure.
CREATE OR REPLACE TEMP TABLE adh_own AS
SELECT
    r.row_id,
    bool_or(p.max_num IS NULL) AS has_no_highest,
    bool_or(p.min_num IS NULL) AS has_no_lowest,
    CASE
        WHEN bool_or(p.max_num IS NULL AND (p.min_num IS NULL OR p.problem IS NOT NULL))
            THEN coalesce(arg_max(p.problem, p.period_from), 'unparsable_dosage')
        -- "At least 2": no largest dose.
        WHEN bool_or(p.max_num IS NULL) THEN 'open_range'
        WHEN bool_or(p.min_num IS NULL) THEN 'open_range'
        WHEN bool_or((p.min_num, p.min_den) <> (p.max_num, p.max_den)) THEN 'range'
        ELSE 'ok'
    END AS measurable
FROM adh_rows r
LEFT JOIN adh_windows w USING (row_id)
LEFT JOIN adh_periods p
    ON p.row_id = r.row_id
    AND p.period_from < coalesce(w.window_end, r.start_on + 1)
    AND p.period_to > r.start_on
GROUP BY r.row_id;

-- The days on which the dose in force can change, and the dose from then on. A day without an active plan changes
-- nothing: the last dose goes on, not that of the next plan, which nobody could follow yet.
CREATE OR REPLACE TEMP TABLE adh_in_force AS
WITH breaks AS (
    SELECT pool_id, window_start AS day FROM adh_windows
    UNION
    SELECT pool_id, window_end FROM adh_windows WHERE rows_in_pool > 1
    UNION
    SELECT w.pool_id, p.period_from
    FROM adh_windows w
    JOIN adh_periods p USING (row_id)
    WHERE p.period_from > w.window_start AND p.period_from < w.window_end
),
-- The latest-started plan that is active.
chosen AS (
    SELECT b.pool_id, b.day, arg_max(w.row_id, (w.window_start, w.row_id)) AS row_id
    FROM breaks b
    JOIN adh_windows w ON w.pool_id = b.pool_id AND w.window_start <= b.day AND w.window_end > b.day
    GROUP BY b.pool_id, b.day
),
-- Before the first plan of all, that plan's doses count from their own dates.
first_plans AS (
    SELECT
        pool_id,
        min(window_start) AS window_start,
        arg_max(row_id, (-(window_start - DATE '0001-01-01'), row_id)) AS row_id
    FROM adh_windows
    GROUP BY pool_id
)
SELECT c.pool_id, c.day, c.row_id, p.max_num, p.max_den, p.min_num, p.min_den
FROM chosen c
JOIN adh_periods p ON p.row_id = c.row_id AND c.day >= p.period_from AND c.day < p.period_to
UNION ALL
SELECT f.pool_id, p.dose_from, f.row_id, p.max_num, p.max_den, p.min_num, p.min_den
FROM first_plans f
JOIN adh_periods p ON p.row_id = f.row_id AND p.dose_from < f.window_start;

CREATE OR REPLACE TEMP TABLE adh_ranged AS
SELECT pool_id FROM adh_in_force WHERE (max_num, max_den) IS DISTINCT FROM (min_num, min_den)
UNION
-- What was ordered for several people may be none of this one's, or all of it.
SELECT pool_id FROM adh_fills WHERE is_shared AND is_valid
UNION
-- A row without a largest dose has figures at the lowest only, also where another plan's dose is in force throughout.
SELECT w.pool_id FROM adh_windows w JOIN adh_own o USING (row_id) WHERE o.has_no_highest AND NOT o.has_no_lowest;

CREATE OR REPLACE TEMP TABLE adh_dose_steps AS
WITH steps AS (
    SELECT pool_id, pool_id * 2 AS stream_id, day, row_id, max_num AS num, max_den AS den FROM adh_in_force
    UNION ALL
    SELECT pool_id, pool_id * 2 + 1, day, row_id, min_num, min_den FROM adh_in_force SEMI JOIN adh_ranged USING (pool_id)
),
-- Where the dose is unknown, stock is run down at the next known one (bought before the plan), else at the last.
filled AS (
    SELECT
        pool_id, stream_id, day, row_id,
        num IS NOT NULL AS is_known,
        coalesce(num, first_value(num IGNORE NULLS) OVER ahead, last_value(num IGNORE NULLS) OVER behind) AS dose_num,
        coalesce(den, first_value(den IGNORE NULLS) OVER ahead, last_value(den IGNORE NULLS) OVER behind) AS dose_den
    FROM steps
    WINDOW
        ahead AS (PARTITION BY stream_id ORDER BY day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING),
        behind AS (PARTITION BY stream_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT * FROM filled WHERE dose_num IS NOT NULL;

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_periods;
DROP TABLE adh_in_force;
