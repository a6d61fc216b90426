-- The adherence marts. A clinic has one as_of day in each; what each column means: docs/adherence-method.md.
CREATE TABLE IF NOT EXISTS marts.adherence (
    clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR, product_id VARCHAR, as_of DATE,
    window_start DATE, window_end DATE, window_days INTEGER, measurable VARCHAR, status VARCHAR, adherent VARCHAR,
    pdc_min DOUBLE, pdc_max DOUBLE, on_hand_days DOUBLE, run_out_on DATE, orders INTEGER, flags VARCHAR[],
    reason VARCHAR, practitioner_id VARCHAR, product_name VARCHAR, brand_name VARCHAR, variant_ids VARCHAR[],
    plan_state VARCHAR, plan_started_on DATE, dosage_text VARCHAR, units_per_day_min VARCHAR,
    units_per_day_max VARCHAR, units_per_day_min_value DOUBLE, units_per_day_max_value DOUBLE, unit VARCHAR,
    duration_kind VARCHAR, duration_days INTEGER, refill BOOLEAN, units_to_purchase BIGINT,
    pdc_since_first_order DOUBLE, cma1 DOUBLE, cma2 DOUBLE, cma5 DOUBLE, supply_ratio DOUBLE,
    course_supply_ratio DOUBLE, initiation_delay_days INTEGER, longest_gap_days DOUBLE, gap_days DOUBLE,
    first_order_on DATE, last_order_on DATE, last_order_quantity BIGINT, last_order_units DOUBLE,
    units_supplied DOUBLE, carry_in_units DOUBLE, carry_in_days DOUBLE, had_stock BOOLEAN, on_hand_units DOUBLE,
    days_late INTEGER, due_in_days INTEGER, on_hand_days_max DOUBLE, run_out_on_latest DATE, episodes INTEGER,
    is_persistent BOOLEAN, assumptions VARCHAR[], dose_text VARCHAR, dose_since DATE, verdict VARCHAR,
    share_verdict VARCHAR, is_current BOOLEAN, continued_by VARCHAR, guardian_patient_id VARCHAR
);

-- Gaps at the highest dose: runs of days not fully covered; gap_days is how many days of supply they lack.
CREATE TABLE IF NOT EXISTS marts.adherence_gaps (
    clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR, product_id VARCHAR, as_of DATE,
    gap_start DATE, gap_end DATE, gap_days DOUBLE, is_open BOOLEAN
);

-- What the chart draws. kind: covered, gap, unmeasurable (days [start_on, end_on)), order, plan_change (one day).
CREATE TABLE IF NOT EXISTS marts.adherence_timeline (
    clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR, product_id VARCHAR, as_of DATE,
    kind VARCHAR, start_on DATE, end_on DATE, quantity INTEGER, units DOUBLE, label VARCHAR
);

-- The arithmetic behind a share: the window cut where the dose in force changes, at each bound of the dose.
CREATE TABLE IF NOT EXISTS marts.adherence_dose_periods (
    clinic_id VARCHAR, patient_id VARCHAR, treatment_plan_id VARCHAR, product_id VARCHAR, as_of DATE,
    dose_bound VARCHAR, start_on DATE, end_on DATE, days INTEGER, dose_plan_id VARCHAR, units_per_day VARCHAR,
    units_per_day_value DOUBLE, unit VARCHAR, units_on_hand DOUBLE, units_bought DOUBLE, units_used DOUBLE,
    units_left DOUBLE, days_covered DOUBLE
);

-- How many products of patients had which status at the end of each day; older plans of a product are not counted.
CREATE TABLE IF NOT EXISTS marts.adherence_daily (clinic_id VARCHAR, day DATE, status VARCHAR, count BIGINT);

-- The most urgent verdict of each patient, day by day: from `since` until before `until` (NULL: still).
CREATE TABLE IF NOT EXISTS marts.patient_verdicts (
    clinic_id VARCHAR, patient_id VARCHAR, verdict VARCHAR, since DATE, until DATE
);

-- Who runs out when, in the 30 days after as_of: at the highest dose first, at the lowest where the dose is a range.
-- days_left: the covered days after as_of, before run_out_on.
CREATE OR REPLACE VIEW marts.runout AS
SELECT
    clinic_id, patient_id, treatment_plan_id, product_id, as_of, practitioner_id, product_name, status,
    run_out_on, run_out_on_latest, (run_out_on - as_of - 1)::INTEGER AS days_left, on_hand_days, on_hand_days_max,
    on_hand_units, unit, last_order_on, refill
FROM marts.adherence
WHERE status IN ('covered', 'indeterminate') AND run_out_on > as_of AND run_out_on <= as_of + 30;

-- Recommended, and nothing ordered or on hand. plan_age_days counts as_of; is_never: old enough for the policy.
CREATE OR REPLACE VIEW marts.not_ordered AS
SELECT
    clinic_id, patient_id, treatment_plan_id, product_id, as_of, practitioner_id, product_name, brand_name,
    variant_ids, plan_started_on, window_start, (as_of + 1 - window_start)::INTEGER AS plan_age_days,
    status = 'never_ordered' AS is_never, measurable, dosage_text, refill
FROM marts.adherence
WHERE status IN ('never_ordered', 'awaiting_first_order');

-- Counts per practitioner, to plan a day by; no ratio of a practitioner, and nothing to rank people with.
CREATE OR REPLACE VIEW marts.adherence_by_practitioner AS
SELECT
    clinic_id, practitioner_id, max(as_of) AS as_of,
    count(DISTINCT patient_id) AS patients,
    count(*) AS recommendations,
    count(*) FILTER (status = 'covered') AS covered,
    count(*) FILTER (status = 'out_of_supply') AS out_of_supply,
    count(*) FILTER (status = 'indeterminate') AS depends_on_dose,
    count(*) FILTER (status = 'never_ordered') AS never_ordered,
    count(*) FILTER (status = 'awaiting_first_order') AS awaiting_first_order,
    count(*) FILTER (status IN ('course_completed', 'course_incomplete', 'supplied_as_recommended')) AS finished,
    count(*) FILTER (status IN ('plan_cancelled', 'recommendation_removed', 'cancelled_before_order')) AS stopped,
    count(*) FILTER (status = 'not_started') AS not_started,
    count(*) FILTER (status = 'not_measurable') AS not_measurable,
    count(*) FILTER (adherent = 'yes') AS at_or_above_line,
    count(*) FILTER (adherent = 'no') AS below_line,
    count(*) FILTER (adherent = 'indeterminate') AS either_side_of_line
FROM marts.adherence
GROUP BY clinic_id, practitioner_id;

-- Panels of active plans that no lab order of the plan answers. That is only known where lab orders were listed
-- completely after the plan began, and are not refused now.
CREATE OR REPLACE VIEW marts.unordered_panels AS
WITH listed AS (
    SELECT
        clinic_id, max(observed_at) FILTER (outcome = 'loaded' AND complete) AS complete_at,
        arg_max(outcome, (observed_at, finished_at)) = 'not_available' AS is_refused
    FROM ops.pulls
    WHERE resource = 'lab_orders' AND outcome IN ('loaded', 'not_available')
    GROUP BY clinic_id
)
SELECT
    p.clinic_id, p.patient_id, p.practitioner_id, p.treatment_plan_id, r.name, p.available_at::DATE AS recommended_on
FROM core.lab_recommendations r
JOIN core.treatment_plans p USING (clinic_id, treatment_plan_id)
JOIN listed l ON l.clinic_id = p.clinic_id AND NOT l.is_refused
    AND coalesce(l.complete_at >= coalesce(p.available_at, p.created_at), l.complete_at IS NOT NULL)
ANTI JOIN (SELECT clinic_id, treatment_plan_id FROM core.lab_orders WHERE removed_at IS NULL) o
    ON o.clinic_id = r.clinic_id AND o.treatment_plan_id = r.treatment_plan_id
WHERE r.removed_at IS NULL AND p.removed_at IS NULL AND lower(trim(p.state)) = 'active';

-- How soon a verdict wants somebody to act: 1 first.
CREATE OR REPLACE MACRO marts.urgency(verdict) AS coalesce(list_position([
    'long_gap', 'late', 'just_ran_out', 'never_ordered', 'awaiting_first_order', 'due_soon', 'indeterminate',
    'course_incomplete', 'not_measurable', 'course_length_unread', 'as_needed_not_ordered', 'as_needed',
    'on_track', 'course_completed', 'supplied_as_recommended', 'not_started'
], verdict), 99);

-- One row per patient of the clinic, also those without a plan: the most urgent product, whom to call, what to do.
CREATE OR REPLACE VIEW marts.patients AS
WITH products AS (
    SELECT
        *,
        coalesce(verdict, status) AS urgent_verdict,
        CASE WHEN status IN ('never_ordered', 'awaiting_first_order') THEN (as_of + 1 - window_start)::INTEGER
            ELSE days_late END AS days_waiting
    FROM marts.adherence
    WHERE is_current IS NOT FALSE
),
urgent AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY clinic_id, patient_id) AS products
    FROM products
    QUALIFY row_number() OVER (
        PARTITION BY clinic_id, patient_id
        ORDER BY marts.urgency(urgent_verdict), days_waiting DESC NULLS LAST, product_id, treatment_plan_id
    ) = 1
),
labs AS (
    SELECT clinic_id, patient_id, name
    FROM core.lab_orders
    WHERE removed_at IS NULL AND state IN (
        'interpretation_ready', 'results_amended', 'results_ready', 'partial_results', 'not_purchased',
        'schedule_appointment'
    )
    UNION ALL
    SELECT clinic_id, patient_id, name FROM marts.unordered_panels
),
counted_labs AS (
    SELECT clinic_id, patient_id, count(*) AS labs_to_act_on, list(name ORDER BY name) AS lab_names
    FROM labs
    GROUP BY clinic_id, patient_id
)
SELECT
    p.clinic_id, p.patient_id, p.first_name, p.last_name, p.date_of_birth, coalesce(p.archived, false) AS archived,
    p.external_id, p.email, p.mobile_number, p.text_message_notification,
    p.guardian_patient_id, g.first_name AS guardian_first_name, g.last_name AS guardian_last_name,
    g.email AS guardian_email, g.mobile_number AS guardian_mobile_number,
    u.practitioner_id, u.as_of, u.status AS worst_status, u.urgent_verdict AS worst_verdict,
    u.product_id AS worst_product_id, u.product_name AS worst_product_name, u.days_waiting,
    u.last_order_on, u.run_out_on,
    CASE
        WHEN u.urgent_verdict = 'long_gap' THEN 'ask_if_still_taken'
        WHEN u.urgent_verdict = 'late' THEN 'ask_about_refill'
        WHEN u.urgent_verdict IN ('just_ran_out', 'due_soon') THEN 'mention_refill'
        WHEN u.urgent_verdict = 'never_ordered' THEN 'ask_if_wanted'
        WHEN u.urgent_verdict = 'indeterminate' THEN 'ask_which_dose'
        WHEN u.urgent_verdict = 'course_incomplete' THEN 'ask_how_course_ended'
        WHEN l.labs_to_act_on > 0 THEN 'act_on_labs'
        WHEN u.urgent_verdict IN ('not_measurable', 'course_length_unread') THEN 'ask_directly'
        WHEN u.urgent_verdict IN ('awaiting_first_order', 'not_started') THEN 'wait'
        ELSE 'none'
    END AS next_step,
    coalesce(u.products, 0) AS products,
    coalesce(l.labs_to_act_on, 0) AS labs_to_act_on,
    coalesce(l.lab_names, []) AS lab_names
FROM core.patients p
LEFT JOIN urgent u USING (clinic_id, patient_id)
LEFT JOIN counted_labs l USING (clinic_id, patient_id)
LEFT JOIN core.patients g
    ON g.clinic_id = p.clinic_id AND g.patient_id = p.guardian_patient_id AND g.removed_at IS NULL
WHERE p.removed_at IS NULL;
