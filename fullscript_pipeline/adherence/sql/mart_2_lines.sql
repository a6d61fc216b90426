-- What each plan said about each product, and from which day. Positions move when a line goes, so a row follows the
-- product through the plan's contents, not the position.

CREATE OR REPLACE TEMP TABLE adh_line_versions AS
SELECT
    r.treatment_plan_id, r.position, r.variant_id, r.units_to_purchase, r.refill,
    r.dosage_amount, r.dosage_frequency, r.dosage_duration, r.dosage_format, r.dosage_additional_info,
    r.removed_at, r.valid_from, r.valid_to,
    -- Written, and not to be read: it stands in `extra`.
    r.refill IS NULL AND coalesce(json_exists(r.extra, '$.refill'), false) AS has_unread_refill,
    r.units_to_purchase IS NULL AND coalesce(json_exists(r.extra, '$.units_to_purchase'), false) AS has_unread_quantity,
    coalesce(v.product_id, 'variant:' || r.variant_id) AS product_id
FROM history.recommendations r
JOIN adh_scope s USING (clinic_id)
JOIN adh_plans p USING (treatment_plan_id)
LEFT JOIN core.variants v ON v.region = s.region AND v.variant_id = r.variant_id
WHERE r.variant_id IS NOT NULL;

-- Each moment a plan's contents changed, and the day the change counts from: the event's, else the day first seen.
CREATE OR REPLACE TEMP TABLE adh_moments AS
WITH moments AS (
    SELECT
        treatment_plan_id,
        valid_from AS moment,
        lag(valid_from) OVER (PARTITION BY treatment_plan_id ORDER BY valid_from) AS previous
    FROM (SELECT DISTINCT treatment_plan_id, valid_from FROM adh_line_versions)
),
events AS (
    SELECT e.resource_id AS treatment_plan_id, e.created_at, e.created_on
    FROM core.events e
    JOIN adh_scope s USING (clinic_id)
    WHERE e.event_type = 'treatment_plan.recommendation.updated'
),
dated AS (
    SELECT
        m.treatment_plan_id,
        m.moment,
        CASE
            WHEN m.previous IS NULL THEN DATE '0001-01-01'
            ELSE coalesce(max(e.created_on), timezone(any_value(s.zone), m.moment)::DATE)
        END AS effective_on
    FROM moments m
    CROSS JOIN adh_scope s
    LEFT JOIN events e
        ON e.treatment_plan_id = m.treatment_plan_id AND e.created_at > m.previous AND e.created_at <= m.moment
    GROUP BY m.treatment_plan_id, m.moment, m.previous
)
SELECT d.*
FROM dated d, adh_scope s
WHERE d.effective_on <= s.day
-- Of several changes on one day the last one counts.
QUALIFY row_number() OVER (PARTITION BY treatment_plan_id, effective_on ORDER BY moment DESC) = 1;

-- The lines of each product at each such moment.
CREATE OR REPLACE TEMP TABLE adh_lines AS
SELECT
    m.treatment_plan_id, m.moment, m.effective_on, l.product_id, l.position, l.variant_id, l.units_to_purchase, l.refill,
    l.has_unread_refill, l.has_unread_quantity,
    l.dosage_amount, l.dosage_frequency, l.dosage_duration, l.dosage_format, l.dosage_additional_info
FROM adh_moments m
JOIN adh_line_versions l
    ON l.treatment_plan_id = m.treatment_plan_id
    AND l.valid_from <= m.moment
    AND (l.valid_to IS NULL OR l.valid_to > m.moment)
    AND l.removed_at IS NULL;
