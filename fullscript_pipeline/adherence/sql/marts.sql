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
