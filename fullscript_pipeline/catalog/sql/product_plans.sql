-- For each product of $ids and each month end from the first observation of plans on (of the last month: $day), how many
-- active treatment plans recommended it, over all clinics of the region; at most 24 months. $region, $ids, $day, $zone.
WITH wanted AS (SELECT variant_id, product_id FROM core.variants WHERE region = $region AND list_contains($ids, product_id)),
lines AS (
    SELECT r.clinic_id, r.treatment_plan_id, w.product_id, r.valid_from, r.valid_to
    FROM history.recommendations AS r JOIN wanted AS w USING (variant_id)
    JOIN core.clinics AS c ON c.clinic_id = r.clinic_id AND c.region = $region
    WHERE r.removed_at IS NULL
),
months AS (
    SELECT least(last_day(month::DATE), $day::DATE) AS day, timezone($zone, (day + 1)::TIMESTAMP) AS ends
    FROM (SELECT unnest(generate_series(date_trunc('month', greatest(
        (SELECT min(timezone($zone, valid_from))::DATE FROM lines), $day::DATE - INTERVAL 23 MONTH)),
        $day::TIMESTAMP, INTERVAL 1 MONTH)) AS month)
)
SELECT l.product_id, m.day, count(DISTINCT (l.clinic_id, l.treatment_plan_id)) AS plans
FROM months AS m
JOIN lines AS l ON l.valid_from < m.ends AND (l.valid_to IS NULL OR l.valid_to >= m.ends)
JOIN history.treatment_plans AS p ON p.clinic_id = l.clinic_id AND p.treatment_plan_id = l.treatment_plan_id
    AND p.removed_at IS NULL AND p.state = 'active' AND p.valid_from < m.ends
    AND (p.valid_to IS NULL OR p.valid_to >= m.ends)
GROUP BY ALL ORDER BY ALL
