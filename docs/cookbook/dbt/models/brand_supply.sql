SELECT
    coalesce(brand_name, 'unknown') AS brand_name,
    count(DISTINCT patient_id) AS patients,
    count(*) FILTER (WHERE measurable = 'ok') AS measured,
    round(100.0 * avg(pdc_min) FILTER (WHERE measurable = 'ok'), 1) AS least_days_covered_percent
FROM {{ source('marts', 'adherence') }}
WHERE is_current
GROUP BY ALL
