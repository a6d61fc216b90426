-- One row per patient, plan and product, its window, and the dose its lines add up to from day to day.
-- adh_dosages (a row per distinct dosage text) and adh_conversions (a row per dose unit and pack unit) come from Python.

CREATE OR REPLACE TEMP TABLE adh_read_lines AS
SELECT
    l.* EXCLUDE (dosage_amount, dosage_frequency, dosage_duration, dosage_format, dosage_additional_info),
    d.dosage_id
FROM adh_lines l
JOIN adh_dosages d
    ON d.dosage_amount IS NOT DISTINCT FROM l.dosage_amount
    AND d.dosage_frequency IS NOT DISTINCT FROM l.dosage_frequency
    AND d.dosage_duration IS NOT DISTINCT FROM l.dosage_duration
    AND d.dosage_format IS NOT DISTINCT FROM l.dosage_format
    AND d.dosage_additional_info IS NOT DISTINCT FROM l.dosage_additional_info;

CREATE OR REPLACE TEMP TABLE adh_row_spans AS
WITH spans AS (
    SELECT
        treatment_plan_id,
        product_id,
        min(effective_on) AS added_on,
        max(effective_on) AS last_change_on,
        max(moment) AS last_moment
    FROM adh_lines
    GROUP BY treatment_plan_id, product_id
),
ends AS (
    -- The first change after the last one that still has the product: the day it was taken out.
    SELECT s.treatment_plan_id, s.product_id, min(m.effective_on) AS removed_on
    FROM spans s
    JOIN adh_moments m ON m.treatment_plan_id = s.treatment_plan_id AND m.moment > s.last_moment
    GROUP BY s.treatment_plan_id, s.product_id
)
SELECT
    s.treatment_plan_id, s.product_id, s.last_moment, e.removed_on,
    p.patient_id, p.practitioner_id, p.state, p.started_on, p.cancelled_on, p.vanished_on, p.has_unknown_state,
    p.has_implausible_date,
    greatest(p.started_on, s.added_on) AS start_on
FROM spans s
JOIN adh_plans p USING (treatment_plan_id)
LEFT JOIN ends e USING (treatment_plan_id, product_id)
-- A line taken out before the plan began was never recommended.
WHERE e.removed_on IS NULL OR e.removed_on > greatest(p.started_on, s.added_on);

CREATE OR REPLACE TEMP TABLE adh_courses AS
SELECT
    r.treatment_plan_id,
    r.product_id,
    count(*) AS lines,
    CASE WHEN bool_and(d.duration_days IS NOT NULL) THEN r.start_on + max(d.duration_days) END AS course_end,
    bool_or(d.duration_kind = 'unparsable') AS has_unparsed_duration,
    CASE WHEN bool_or(l.refill) OR NOT bool_or(l.has_unread_refill) THEN bool_or(l.refill) END AS refill,
    CASE WHEN NOT bool_or(l.has_unread_quantity) THEN sum(l.units_to_purchase)::BIGINT END AS units_to_purchase,
    bool_or(l.has_unread_refill OR l.has_unread_quantity) AS has_unread_refill,
    CASE WHEN count(DISTINCT d.duration_kind) = 1 THEN any_value(d.duration_kind) ELSE 'unspecified' END AS duration_kind,
    list(DISTINCT l.variant_id ORDER BY l.variant_id) AS variant_ids,
    string_agg(d.dosage_text, ' + ' ORDER BY l.position) AS dosage_text,
    arg_min(d.reason, l.position) FILTER (d.reason IS NOT NULL) AS dosage_reason,
    list_distinct(flatten(list(d.assumptions))) AS assumptions,
    list_distinct(flatten(list(d.flags))) AS dosage_flags
FROM adh_row_spans r
JOIN adh_read_lines l
    ON l.treatment_plan_id = r.treatment_plan_id AND l.product_id = r.product_id AND l.moment = r.last_moment
JOIN adh_dosages d USING (dosage_id)
GROUP BY r.treatment_plan_id, r.product_id, r.start_on;

CREATE OR REPLACE TEMP TABLE adh_pools AS
SELECT row_number() OVER () AS pool_id, patient_id, product_id
FROM (SELECT DISTINCT patient_id, product_id FROM adh_row_spans);

CREATE OR REPLACE TEMP TABLE adh_keys AS
WITH ends AS (
    SELECT
        r.*,
        c.* EXCLUDE (treatment_plan_id, product_id),
        least(coalesce(r.cancelled_on, r.vanished_on), coalesce(r.vanished_on, r.cancelled_on)) AS plan_end
    FROM adh_row_spans r
    JOIN adh_courses c USING (treatment_plan_id, product_id)
)
SELECT
    row_number() OVER (ORDER BY e.start_on, e.treatment_plan_id, e.product_id) AS row_id,
    p.pool_id,
    e.*,
    least(e.plan_end, e.removed_on, e.course_end) AS stop_on,
    -- Whatever ended the window: a course that was over before its plan was cancelled is cancelled too.
    CASE WHEN e.plan_end <= s.day THEN 'cancelled' WHEN e.removed_on <= s.day THEN 'removed' END AS ended_by
FROM ends e
CROSS JOIN adh_scope s
JOIN adh_pools p USING (patient_id, product_id);
