-- The engine's results as marts.adherence: named, in the unit the dosage is written in, with the reason in words.

CREATE OR REPLACE TEMP MACRO adh_fraction(num, den) AS
    (num // gcd(num, den))::VARCHAR || CASE WHEN den // gcd(num, den) > 1 THEN '/' || (den // gcd(num, den)) ELSE '' END;

-- The dose on the last day of the window (the first dose where there is no window), in the unit it is written in.
CREATE OR REPLACE TEMP TABLE adh_shown AS
SELECT
    r.row_id,
    d.unit,
    d.lines,
    CASE WHEN d.problem IS NULL THEN d.shown_num::DOUBLE / d.shown_den END AS base_per_unit,
    CASE WHEN d.problem IS NULL THEN adh_fraction(d.min_num * d.shown_den, d.den * d.shown_num) END AS min_text,
    CASE WHEN d.problem IS NULL THEN adh_fraction(d.max_num * d.shown_den, d.den * d.shown_num) END AS max_text,
    CASE WHEN d.problem IS NULL THEN (d.min_num * d.shown_den)::DOUBLE / (d.den * d.shown_num)::DOUBLE END AS min_value,
    CASE WHEN d.problem IS NULL THEN (d.max_num * d.shown_den)::DOUBLE / (d.den * d.shown_num)::DOUBLE END AS max_value
FROM adh_results r
JOIN adh_step_doses d ON d.row_id = r.row_id
QUALIFY row_number() OVER (
    PARTITION BY r.row_id
    ORDER BY d.dose_from < coalesce(r.window_end, r.window_start + 1) DESC,
        CASE WHEN d.dose_from < coalesce(r.window_end, r.window_start + 1) THEN d.dose_from END DESC,
        d.dose_from
) = 1;

-- The last day with an order before the window's end, also before its start.
CREATE OR REPLACE TEMP TABLE adh_last_orders AS
SELECT
    r.row_id,
    max(f.filled_on) AS last_order_on,
    arg_max(f.packs, f.filled_on) AS last_order_quantity,
    arg_max(f.units, f.filled_on) AS last_order_units
FROM adh_results r
JOIN adh_keys k USING (row_id)
JOIN (
    SELECT pool_id, filled_on, sum(packs)::BIGINT AS packs, sum(num::DOUBLE / den) AS units
    FROM adh_fills
    WHERE is_valid
    GROUP BY pool_id, filled_on
) f ON f.pool_id = k.pool_id AND f.filled_on < r.window_end
GROUP BY r.row_id;

CREATE OR REPLACE TEMP TABLE adh_mart AS
SELECT
    s.clinic_id,
    k.patient_id,
    k.treatment_plan_id,
    k.product_id,
    s.day AS as_of,
    r.* EXCLUDE (
        row_id, flags, packs, units_supplied, carry_in_units, on_hand_units, first_order_on, last_order_on
    ),
    r.units_supplied / h.base_per_unit AS units_supplied,
    r.carry_in_units / h.base_per_unit AS carry_in_units,
    r.on_hand_units / h.base_per_unit AS on_hand_units,
    r.first_order_on,
    o.last_order_on,
    o.last_order_quantity,
    o.last_order_units / h.base_per_unit AS last_order_units,
    list_concat(list_concat(r.flags, k.dosage_flags), list_filter(
        [
            CASE WHEN h.lines > 1 THEN 'several_lines' END,
            CASE WHEN k.has_unparsed_duration THEN 'duration_unparsed' END,
            CASE WHEN k.vanished_on IS NOT NULL THEN 'plan_vanished' END
        ],
        lambda flag: flag IS NOT NULL
    )) AS flags,
    CASE
        WHEN r.measurable = 'prn' THEN 'it is taken as needed, so there is no daily amount'
        WHEN r.measurable = 'unparsable_dosage'
            THEN 'the dosage text gives no clear daily amount' || coalesce(' (' || k.dosage_reason || ')', '')
        WHEN r.measurable = 'missing_units' THEN 'the number of units in the pack is not known'
        WHEN r.measurable = 'unit_mismatch' AND h.unit IS NULL THEN 'the dosage does not say in which unit'
        WHEN r.measurable = 'unit_mismatch' THEN 'the pack and the dosage use units that cannot be converted'
        WHEN r.measurable = 'open_range' AND k.dosage_reason = 'only the smallest dose is given'
            THEN 'the dosage gives only a lower limit'
        WHEN r.measurable = 'open_range' THEN 'the dosage gives only an upper limit'
        WHEN r.measurable = 'out_of_bounds' THEN 'a quantity or dose is too large to compute with'
        WHEN r.measurable = 'unknown_plan_state' THEN 'the state of the plan is not one this program knows'
        WHEN r.status = 'not_measurable' AND list_contains(r.flags, 'undated_order') THEN 'an order of it has no date'
        WHEN r.status = 'not_measurable' AND list_contains(r.flags, 'refill_unread')
            THEN 'it could not be read whether more than what was bought is wanted'
    END AS reason,
    k.practitioner_id,
    p.name AS product_name,
    b.name AS brand_name,
    k.variant_ids,
    k.state AS plan_state,
    k.started_on AS plan_started_on,
    k.dosage_text,
    h.min_text AS units_per_day_min,
    h.max_text AS units_per_day_max,
    h.min_value AS units_per_day_min_value,
    h.max_value AS units_per_day_max_value,
    h.unit,
    k.duration_kind,
    (k.course_end - k.start_on)::INTEGER AS duration_days,
    k.refill,
    k.units_to_purchase,
    -- Through the end of the day: the first day without cover is one day late on that very day.
    CASE WHEN r.status IN ('out_of_supply', 'indeterminate') AND r.run_out_on <= s.day
        THEN (s.day + 1 - r.run_out_on)::INTEGER END AS days_late,
    CASE WHEN r.status = 'covered' THEN (r.run_out_on - s.day)::INTEGER END AS due_in_days,
    k.assumptions
FROM adh_results r
JOIN adh_keys k USING (row_id)
CROSS JOIN adh_scope s
LEFT JOIN adh_shown h USING (row_id)
LEFT JOIN adh_last_orders o USING (row_id)
LEFT JOIN core.products p ON p.region = s.region AND p.product_id = k.product_id
LEFT JOIN core.brands b ON b.region = s.region AND b.brand_id = p.brand_id;
