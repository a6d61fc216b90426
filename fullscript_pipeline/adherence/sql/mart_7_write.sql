-- The marts' rows of the wanted patients, none of whom has any.
INSERT INTO marts.adherence BY NAME SELECT * FROM adh_mart;

INSERT INTO marts.adherence_gaps
SELECT
    s.clinic_id, k.patient_id, k.treatment_plan_id, k.product_id, s.day,
    g.gap_start, g.gap_end, adh_ratio(g.length, g.day_scale), g.is_open
FROM adh_gaps g
JOIN adh_keys k USING (row_id)
JOIN adh_results r USING (row_id)
CROSS JOIN adh_scope s
WHERE r.pdc_min IS NOT NULL;

INSERT INTO marts.adherence_dose_periods BY NAME
SELECT
    s.clinic_id, k.patient_id, k.treatment_plan_id, k.product_id, s.day AS as_of,
    CASE WHEN p.is_lowest THEN 'lowest' ELSE 'highest' END AS dose_bound,
    p.start_on, p.end_on, (p.end_on - p.start_on)::INTEGER AS days,
    o.treatment_plan_id AS dose_plan_id,
    adh_fraction(p.rate * h.shown_den, p.unit_scale * h.shown_num) AS units_per_day,
    adh_ratio(p.rate * h.shown_den, p.unit_scale * h.shown_num) AS units_per_day_value,
    h.unit,
    adh_ratio(p.on_hand * h.shown_den, p.unit_scale * h.shown_num) AS units_on_hand,
    adh_ratio(p.bought * h.shown_den, p.unit_scale * h.shown_num) AS units_bought,
    adh_ratio((p.on_hand + p.bought - p.remaining) * h.shown_den, p.unit_scale * h.shown_num) AS units_used,
    adh_ratio(p.remaining * h.shown_den, p.unit_scale * h.shown_num) AS units_left,
    adh_ratio(p.covered, p.day_scale) AS days_covered
FROM adh_dose_periods p
JOIN adh_results r USING (row_id)
JOIN adh_keys k USING (row_id)
JOIN adh_shown h USING (row_id)
LEFT JOIN adh_keys o ON o.row_id = p.dose_row_id
CROSS JOIN adh_scope s
WHERE h.base_per_unit IS NOT NULL AND CASE WHEN p.is_lowest THEN r.pdc_max ELSE r.pdc_min END IS NOT NULL;

INSERT INTO marts.adherence_timeline
WITH shown AS (
    SELECT *, measurable IN ('ok', 'range') AS is_measured FROM adh_results WHERE window_end IS NOT NULL
),
gaps AS (
    SELECT g.row_id, g.gap_start, g.gap_end FROM adh_gaps g SEMI JOIN (SELECT * FROM shown WHERE is_measured) USING (row_id)
),
-- Between the gaps, and after the last.
covered AS (
    SELECT g.row_id, coalesce(lag(g.gap_end) OVER w, r.window_start) AS start_on, g.gap_start AS end_on
    FROM gaps g
    JOIN shown r USING (row_id)
    WINDOW w AS (PARTITION BY g.row_id ORDER BY g.gap_start)
    UNION ALL
    SELECT r.row_id, coalesce(max(g.gap_end), any_value(r.window_start)), any_value(r.window_end)
    FROM shown r
    LEFT JOIN gaps g USING (row_id)
    WHERE r.is_measured
    GROUP BY r.row_id
),
changes AS (
    SELECT row_id, dose_from
    FROM adh_doses
    QUALIFY (min_num, min_den, max_num, max_den, problem) IS DISTINCT FROM
        lag((min_num, min_den, max_num, max_den, problem)) OVER (PARTITION BY row_id ORDER BY dose_from)
),
orders AS (
    SELECT pool_id, order_id, filled_on, sum(packs) AS packs, sum(num::DOUBLE / den) AS units
    FROM adh_fills
    WHERE is_valid
    GROUP BY pool_id, order_id, filled_on
),
pieces AS (
    SELECT row_id, 'gap' AS kind, gap_start AS start_on, gap_end AS end_on, NULL AS packs, NULL::DOUBLE AS units,
        'not covered by orders' AS label
    FROM gaps
    UNION ALL
    SELECT row_id, 'covered', start_on, end_on, NULL, NULL, 'covered by orders' FROM covered WHERE end_on > start_on
    UNION ALL
    SELECT row_id, 'unmeasurable', window_start, window_end, NULL, NULL, 'could not be measured'
    FROM shown
    WHERE NOT is_measured
    UNION ALL
    -- Supply from before the window is drawn where it still counted, half a year back at most.
    SELECT
        r.row_id, 'order', o.filled_on, o.filled_on, o.packs, o.units / h.base_per_unit,
        o.packs || CASE WHEN o.packs = 1 THEN ' pack' ELSE ' packs' END
    FROM shown r
    JOIN adh_keys k USING (row_id)
    JOIN orders o
        ON o.pool_id = k.pool_id
        AND o.filled_on < r.window_end
        AND o.filled_on >= CASE WHEN r.had_stock THEN r.window_start - 180 ELSE r.window_start END
    LEFT JOIN adh_shown h USING (row_id)
    UNION ALL
    SELECT c.row_id, 'plan_change', c.dose_from, c.dose_from, NULL, NULL, 'dose changed'
    FROM changes c
    JOIN shown r USING (row_id)
    WHERE c.dose_from > r.window_start AND c.dose_from < r.window_end
    UNION ALL
    SELECT
        k.row_id, 'plan_change', r.window_end, r.window_end, NULL, NULL,
        CASE WHEN k.plan_end = r.window_end THEN 'plan cancelled' ELSE 'taken out of the plan' END
    FROM adh_keys k
    JOIN shown r USING (row_id)
    WHERE k.ended_by IS NOT NULL AND r.window_end IN (k.plan_end, k.removed_on)
)
SELECT
    s.clinic_id, k.patient_id, k.treatment_plan_id, k.product_id, s.day,
    p.kind, p.start_on, p.end_on, p.packs::INTEGER, p.units, p.label
FROM pieces p
JOIN adh_keys k USING (row_id)
CROSS JOIN adh_scope s;
