-- The engine's results as marts.adherence: named, in the unit the dosage is written in, with the reason in words.

CREATE OR REPLACE TEMP MACRO adh_fraction(num, den) AS
    (num // gcd(num, den))::VARCHAR || CASE WHEN den // gcd(num, den) > 1 THEN '/' || (den // gcd(num, den)) ELSE '' END;

-- The dose on the last day of the window (the first dose where there is no window), in the unit it is written in.
CREATE OR REPLACE TEMP TABLE adh_shown AS
SELECT
    r.row_id,
    d.unit,
    d.lines,
    bool_or(d.has_assumed_unit) OVER (PARTITION BY r.row_id) AS has_assumed_unit,
    d.shown_num,
    d.shown_den,
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

-- The dose in words: "2 capsules a day", "1 to 2 capsules a day"; a dose that is no decimal number names its days.
CREATE OR REPLACE TEMP MACRO adh_plural(unit, value) AS
    CASE WHEN value = 1 OR value < 1 THEN coalesce(unit, 'unit')
        WHEN unit IS NULL THEN 'units'
        WHEN regexp_matches(unit, '(ch|sh|s|x)$') THEN unit || 'es' ELSE unit || 's' END;

CREATE OR REPLACE TEMP MACRO adh_decimal(value) AS regexp_replace(printf('%.3f', value), '\.?0+$', '');

CREATE OR REPLACE TEMP MACRO adh_amount(min_text, max_text, min_value, max_value, unit) AS
    CASE
        WHEN min_text IS NULL THEN 'at most ' || adh_decimal(max_value) || ' ' || adh_plural(unit, max_value) || ' a day'
        WHEN max_text IS NULL THEN 'at least ' || adh_decimal(min_value) || ' ' || adh_plural(unit, min_value) || ' a day'
        WHEN min_text <> max_text THEN adh_decimal(min_value) || ' to ' || adh_decimal(max_value) || ' '
            || adh_plural(unit, max_value) || ' a day'
        -- Exact in three decimals, else as whole units in so many days.
        WHEN abs(max_value * 1000 - round(max_value * 1000)) < 1e-9
            THEN adh_decimal(max_value) || ' ' || adh_plural(unit, max_value) || ' a day'
        ELSE split_part(max_text, '/', 1) || ' ' || adh_plural(unit, split_part(max_text, '/', 1)::DOUBLE)
            || ' in ' || split_part(max_text, '/', 2) || ' days'
    END;

-- The first day of the dose that is in force on the last day of the window.
CREATE OR REPLACE TEMP TABLE adh_dose_since AS
WITH changes AS (
    SELECT row_id, dose_from
    FROM adh_doses
    QUALIFY (min_num, min_den, max_num, max_den, problem) IS DISTINCT FROM
        lag((min_num, min_den, max_num, max_den, problem)) OVER (PARTITION BY row_id ORDER BY dose_from)
)
SELECT r.row_id, greatest(max(c.dose_from), any_value(r.window_start)) AS dose_since
FROM adh_results r
JOIN changes c ON c.row_id = r.row_id AND c.dose_from < coalesce(r.window_end, r.window_start + 1)
GROUP BY r.row_id;

-- Of the plans of one product, the one that counts today: the latest-started active one, else the latest-started.
CREATE OR REPLACE TEMP TABLE adh_succession AS
WITH plans AS (
    SELECT
        k.row_id, k.pool_id, k.treatment_plan_id, k.start_on,
        r.window_end IS NOT NULL AS has_begun,
        coalesce(k.stop_on > s.day, true) AS is_active
    FROM adh_keys k
    JOIN adh_results r USING (row_id)
    CROSS JOIN adh_scope s
)
SELECT
    row_id,
    row_number() OVER (
        PARTITION BY pool_id ORDER BY has_begun DESC, is_active DESC, start_on DESC, row_id DESC
    ) = 1 AS is_current,
    CASE WHEN has_begun AND NOT is_current
        THEN lead(treatment_plan_id) OVER (PARTITION BY pool_id, has_begun ORDER BY start_on, row_id) END AS continued_by
FROM plans;

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

CREATE OR REPLACE TEMP TABLE adh_figures AS
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
            CASE WHEN h.has_assumed_unit THEN 'assumed_unit' END,
            CASE WHEN k.has_unparsed_duration THEN 'duration_unparsed' END,
            CASE WHEN k.vanished_on IS NOT NULL THEN 'plan_vanished' END,
            CASE WHEN n.is_ordered_by_guardian THEN 'ordered_by_guardian' END,
            CASE WHEN n.has_shared_order THEN 'shared_order' END,
            CASE WHEN n.is_ordered_by_another THEN 'ordered_by_another' END,
            CASE WHEN n.has_unknown_order_state THEN 'unknown_order_state' END
        ],
        lambda flag: flag IS NOT NULL
    )) AS flags,
    CASE
        WHEN r.measurable = 'prn' THEN 'it is taken as needed, so there is no daily amount'
        WHEN r.measurable = 'unparsable_dosage'
            THEN 'the dosage text gives no clear daily amount' || coalesce(': ' || k.dosage_reason, '')
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
        WHEN r.status = 'not_measurable' AND n.is_ordered_by_another THEN 'an order of another person names this plan'
        WHEN r.status IN ('not_measurable', 'indeterminate', 'out_of_supply') AND n.has_shared_order
            THEN 'an order names plans of several people, so how much of it is for this patient is not known'
        WHEN r.measurable = 'course_length_unread' THEN 'the length of the course could not be read'
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
    k.assumptions,
    adh_amount(h.min_text, h.max_text, h.min_value, h.max_value, h.unit) AS dose_text,
    d.dose_since,
    c.is_current,
    c.continued_by,
    g.guardian_patient_id
FROM adh_results r
JOIN adh_keys k USING (row_id)
CROSS JOIN adh_scope s
LEFT JOIN adh_shown h USING (row_id)
JOIN adh_succession c USING (row_id)
LEFT JOIN adh_order_notes n USING (row_id)
LEFT JOIN adh_dose_since d USING (row_id)
LEFT JOIN adh_last_orders o USING (row_id)
LEFT JOIN core.patients g ON g.clinic_id = s.clinic_id AND g.patient_id = k.patient_id
LEFT JOIN core.products p ON p.region = s.region AND p.product_id = k.product_id
LEFT JOIN core.brands b ON b.region = s.region AND b.brand_id = p.brand_id;

-- One verdict a row, by the thresholds of the policy; and what may be said about the line, never of a short window.
CREATE OR REPLACE TEMP TABLE adh_mart AS
SELECT
    f.*,
    CASE
        WHEN status = 'covered' AND due_in_days <= due_soon_days THEN 'due_soon'
        WHEN status = 'covered' THEN 'on_track'
        WHEN status = 'out_of_supply' AND days_late >= long_gap_days THEN 'long_gap'
        WHEN status = 'out_of_supply' AND days_late >= late_days THEN 'late'
        -- Of what several people share nobody can say since when it is used up.
        WHEN status = 'out_of_supply' AND days_late IS NULL THEN 'indeterminate'
        WHEN status = 'out_of_supply' THEN 'just_ran_out'
        -- Nothing needs asking about a line that is over.
        WHEN status IN ('not_measurable', 'as_needed', 'as_needed_not_ordered', 'course_length_unread')
            AND window_end < y.as_of THEN 'ended_unmeasured'
        ELSE status
    END AS verdict,
    CASE
        WHEN adherent IS NULL OR status NOT IN (
            'covered', 'out_of_supply', 'indeterminate', 'supplied_as_recommended', 'plan_cancelled',
            'recommendation_removed'
        ) THEN NULL
        WHEN window_days < minimum_window_days THEN 'too_early'
        WHEN adherent = 'yes' THEN 'at_or_above'
        WHEN adherent = 'indeterminate' THEN 'depends_on_dose'
        WHEN status = 'covered' THEN 'earlier_gaps'
        ELSE 'below'
    END AS share_verdict
FROM adh_figures f
CROSS JOIN adh_policy y;
