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
    is_persistent BOOLEAN, assumptions VARCHAR[]
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

-- Who runs out when, in the 30 days after as_of: at the highest dose first, at the lowest where the dose is a range.
CREATE OR REPLACE VIEW marts.runout AS
SELECT
    clinic_id, patient_id, treatment_plan_id, product_id, as_of, practitioner_id, product_name, status,
    run_out_on, run_out_on_latest, (run_out_on - as_of)::INTEGER AS days_left, on_hand_days, on_hand_days_max,
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
