-- By month: of the products of active plans that can be measured, how many were covered on the month's last day.
WITH months AS (
    SELECT least(last_day($as_of::DATE - to_months(place::INTEGER)), $as_of::DATE) AS day FROM range(12) AS t (place)
),
products AS (
    SELECT m.day, a.patient_id, a.product_id, bool_or(g.gap_start IS NULL) AS is_covered
    FROM marts.adherence AS a
    JOIN months AS m ON a.window_start <= m.day AND a.window_end > m.day
    LEFT JOIN core.patients AS p ON p.clinic_id = a.clinic_id AND p.patient_id = a.patient_id
    LEFT JOIN marts.adherence_gaps AS g
        ON g.clinic_id = a.clinic_id AND g.patient_id = a.patient_id AND g.treatment_plan_id = a.treatment_plan_id
        AND g.product_id = a.product_id AND g.gap_start <= m.day AND g.gap_end > m.day
    WHERE a.clinic_id = $clinic AND a.measurable IN ('ok', 'range') AND p.removed_at IS NULL
        -- What was supplied as recommended wants no more.
        AND NOT (a.status = 'supplied_as_recommended' AND g.gap_start IS NOT NULL)
    GROUP BY ALL
)
SELECT day, count(*) AS products, count(*) FILTER (is_covered) AS on_track
FROM products
GROUP BY day
ORDER BY day
