-- The dose of each row in the base unit of its packs, step by step.

-- The packs that decide a row's unit: those bought before it ended, else those recommended.
CREATE OR REPLACE TEMP TABLE adh_row_packs AS
WITH bought AS (
    SELECT DISTINCT k.row_id, f.pack_unit
    FROM adh_keys k
    JOIN adh_packs f
        ON f.pool_id = k.pool_id
        AND f.quantity >= 1
        AND f.claim IS DISTINCT FROM 'another'
        AND f.filled_on < coalesce(k.stop_on, DATE '9999-12-31')
),
recommended AS (
    SELECT DISTINCT
        k.row_id,
        CASE WHEN v.units > 0 THEN coalesce(v.unit_of_measure, '') ELSE '' END AS pack_unit
    FROM adh_keys k
    ANTI JOIN bought b ON b.row_id = k.row_id
    CROSS JOIN adh_scope s
    CROSS JOIN unnest(k.variant_ids) AS r (variant_id)
    LEFT JOIN core.variants v ON v.region = s.region AND v.variant_id = r.variant_id
)
SELECT row_id, pack_unit FROM bought
UNION ALL
SELECT row_id, pack_unit FROM recommended;

-- The steps of a row: its start, each change of its lines, and the end of each line but the last.
CREATE OR REPLACE TEMP TABLE adh_steps AS
WITH lines AS (
    SELECT
        k.row_id,
        k.start_on,
        l.moment,
        greatest(l.effective_on, k.start_on) AS from_on,
        l.dosage_id,
        k.start_on + d.duration_days AS line_end
    FROM adh_keys k
    JOIN adh_read_lines l USING (treatment_plan_id, product_id)
    JOIN adh_dosages d USING (dosage_id)
),
contents AS (
    SELECT row_id, moment, from_on, lead(from_on) OVER (PARTITION BY row_id ORDER BY moment) AS next_on
    FROM (SELECT DISTINCT row_id, moment, from_on FROM lines)
),
-- Of several contents from one day (changes before the start), only the last has days of its own.
usable AS (
    SELECT row_id, moment, from_on, coalesce(next_on, DATE '9999-12-31') AS to_on
    FROM contents
    WHERE next_on IS NULL OR next_on > from_on
),
days AS (
    SELECT row_id, moment, from_on AS dose_from FROM usable
    UNION
    SELECT u.row_id, u.moment, l.line_end
    FROM usable u
    JOIN lines l ON l.row_id = u.row_id AND l.moment = u.moment AND l.line_end > u.from_on AND l.line_end < u.to_on
),
-- When every line of the contents is over, the longest goes on: the window says where the row ends.
active AS (
    SELECT d.row_id, d.dose_from, l.dosage_id, l.line_end IS NULL OR l.line_end > d.dose_from AS is_active, l.line_end
    FROM days d
    JOIN lines l ON l.row_id = d.row_id AND l.moment = d.moment
)
SELECT row_id, dose_from, dosage_id
FROM active
WINDOW w AS (PARTITION BY row_id, dose_from)
QUALIFY is_active OR (NOT bool_or(is_active) OVER w AND line_end = max(line_end) OVER w);

CREATE OR REPLACE TEMP TABLE adh_step_doses AS
WITH line_units AS (
    -- One conversion for all packs of the row, or the reason why there is none.
    SELECT
        s.row_id,
        s.dose_from,
        s.dosage_id,
        min(c.factor_num) AS factor_num,
        min(c.factor_den) AS factor_den,
        any_value(c.pack_name) AS pack_name,
        CASE
            WHEN bool_or(c.problem = 'missing_units') THEN 'missing_units'
            WHEN bool_or(c.problem IS NOT NULL) THEN any_value(c.problem)
            WHEN count(DISTINCT c.pack_base) > 1 THEN 'unit_mismatch'
        END AS problem
    FROM adh_steps s
    JOIN adh_dosages d USING (dosage_id)
    JOIN adh_row_packs p USING (row_id)
    JOIN adh_conversions c ON c.dose_unit = d.dose_unit AND c.pack_unit = p.pack_unit
    GROUP BY s.row_id, s.dose_from, s.dosage_id
),
lines AS (
    SELECT
        s.row_id,
        s.dose_from,
        -- A bare count in packs of capsules counts capsules (dose_unit is then neither a unit nor empty).
        d.unit IS NULL AND d.dose_unit <> '' AND u.problem IS NULL AS has_assumed_unit,
        coalesce(d.unit, CASE WHEN d.dose_unit <> '' AND u.problem IS NULL THEN u.pack_name END) AS unit,
        d.min_num::HUGEINT AS min_num,
        d.min_den::HUGEINT AS min_den,
        d.max_num::HUGEINT AS max_num,
        d.max_den::HUGEINT AS max_den,
        u.factor_num,
        u.factor_den,
        CASE
            WHEN d.status = 'prn' THEN 'prn'
            WHEN d.status = 'unparsable' THEN 'unparsable_dosage'
            ELSE u.problem
        END AS problem,
        d.max_den::HUGEINT * coalesce(u.factor_den, 1) AS max_base_den,
        d.min_den::HUGEINT * coalesce(u.factor_den, 1) AS min_base_den
    FROM adh_steps s
    JOIN adh_dosages d USING (dosage_id)
    LEFT JOIN line_units u USING (row_id, dose_from, dosage_id)
),
scales AS (
    -- Denominators of dosage texts are small: a common one for the row's lines fits easily, else it is no dose.
    SELECT
        row_id,
        dose_from,
        list_reduce(
            list(coalesce(max_base_den, 1)) || list(coalesce(min_base_den, 1)),
            lambda a, b: CASE WHEN a <= 1000000000 AND b <= 1000000000 THEN lcm(a, b) END
        ) AS scale
    FROM lines
    GROUP BY row_id, dose_from
)
SELECT
    l.row_id,
    l.dose_from,
    any_value(c.scale) AS den,
    CASE WHEN count(l.problem) = 0 AND count(l.max_num) = count(*)
        THEN sum(l.max_num * l.factor_num * (c.scale // l.max_base_den)) END::HUGEINT AS max_num,
    CASE WHEN count(l.problem) = 0 AND count(l.min_num) = count(*)
        THEN sum(l.min_num * l.factor_num * (c.scale // l.min_base_den)) END::HUGEINT AS min_num,
    coalesce(
        max(l.problem) FILTER (l.problem = 'prn'),
        max(l.problem) FILTER (l.problem = 'unparsable_dosage'),
        max(l.problem) FILTER (l.problem = 'missing_units'),
        max(l.problem)
    ) AS problem,
    count(*) AS lines,
    bool_or(l.has_assumed_unit AND l.problem IS NULL) AS has_assumed_unit,
    -- What the figures are shown in: the lines' own unit, or the base unit where lines differ.
    CASE WHEN count(DISTINCT l.unit) <= 1 THEN any_value(l.unit) END AS unit,
    CASE WHEN count(DISTINCT l.unit) <= 1 THEN any_value(l.factor_num) ELSE 1 END AS shown_num,
    CASE WHEN count(DISTINCT l.unit) <= 1 THEN any_value(l.factor_den) ELSE 1 END AS shown_den
FROM lines l
JOIN scales c USING (row_id, dose_from)
GROUP BY l.row_id, l.dose_from;

CREATE OR REPLACE TEMP TABLE adh_doses AS
SELECT
    row_id,
    dose_from,
    CASE WHEN fits THEN (min_num // gcd(min_num, den))::BIGINT END AS min_num,
    CASE WHEN fits THEN (den // gcd(min_num, den))::BIGINT END AS min_den,
    CASE WHEN fits THEN (max_num // gcd(max_num, den))::BIGINT END AS max_num,
    CASE WHEN fits THEN (den // gcd(max_num, den))::BIGINT END AS max_den,
    CASE WHEN problem IS NOT NULL THEN problem WHEN NOT fits THEN 'out_of_bounds' END AS problem
FROM (
    SELECT *, coalesce(den <= 1000000000000 AND coalesce(max_num, 1) <= 1000000000000000000, false) AS fits
    FROM adh_step_doses
);

CREATE OR REPLACE TEMP TABLE adh_rows AS
SELECT
    k.row_id, pool_id, start_on, stop_on, course_end, ended_by, refill, units_to_purchase,
    CASE WHEN has_unknown_state THEN 'unknown_plan_state' END AS measurable,
    has_implausible_date,
    has_unread_refill,
    pool_id IN (SELECT pool_id FROM adh_undated) AS has_undated_order,
    coalesce(n.has_shared_order OR n.is_ordered_by_another, false) AS has_naming_order,
    has_unparsed_duration AS has_unread_length
FROM adh_keys k
LEFT JOIN adh_order_notes n USING (row_id);
