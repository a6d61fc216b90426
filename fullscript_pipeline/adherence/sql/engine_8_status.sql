-- One row per input row: what could be measured, the measures, and the status of the method's section 6b.

-- Which rows of one pool share days: one supply feeds several plans.
CREATE OR REPLACE TEMP TABLE adh_overlapping AS
SELECT DISTINCT a.row_id
FROM adh_windows a
JOIN adh_windows b
    ON b.pool_id = a.pool_id
    AND b.row_id <> a.row_id
    AND b.window_start < a.window_end
    AND a.window_start < b.window_end
WHERE a.rows_in_pool > 1 AND b.rows_in_pool > 1;

CREATE OR REPLACE TEMP TABLE adh_results AS
WITH classes AS (
    SELECT
        r.row_id,
        g.pool_id IS NOT NULL OR own.measurable = 'open_range' AS has_lowest,
        -- No largest dose on some day, in this plan or in one that shares its supply: only the upper bound of coverage.
        k.row_id IS NOT NULL OR own.has_no_highest AS has_no_highest,
        CASE
            WHEN r.measurable IS NOT NULL THEN r.measurable
            WHEN w.row_id IS NULL OR own.has_no_highest THEN own.measurable
            WHEN hi.stream_id IS NULL THEN 'out_of_bounds'
            WHEN p.has_unknown_units THEN 'missing_units'
            -- Another plan's dose is in force on some day, and that one has no upper end, or cannot be read.
            WHEN k.row_id IS NOT NULL AND lo.row_id IS NOT NULL THEN 'open_range'
            WHEN k.row_id IS NOT NULL THEN other.measurable
            -- "Up to 3", in this plan or in one that shares its supply: no lowest dose, no upper bound of coverage.
            WHEN g.pool_id IS NOT NULL AND lo.row_id IS NULL THEN 'open_range'
            WHEN own.measurable = 'ok' AND p.has_shared_fill THEN 'range'
            ELSE own.measurable
        END AS measurable
    FROM adh_rows r
    JOIN adh_own own USING (row_id)
    LEFT JOIN adh_windows w USING (row_id)
    LEFT JOIN adh_purchases p USING (row_id)
    LEFT JOIN adh_streams hi ON hi.stream_id = r.pool_id * 2
    LEFT JOIN adh_bounds lo ON lo.row_id = r.row_id AND lo.is_lowest
    LEFT JOIN adh_ranged g ON g.pool_id = r.pool_id
    LEFT JOIN adh_blocked k ON k.row_id = r.row_id AND k.stream_id = r.pool_id * 2
    LEFT JOIN adh_own other ON other.row_id = k.blocking_row_id
),
-- A row that cannot be measured gets no figure, even where its pool has a dose: the keys its figures are joined by.
keys AS (
    SELECT
        *,
        CASE WHEN measurable IN ('ok', 'range', 'open_range') THEN row_id END AS highest_row_id,
        CASE WHEN measurable IN ('ok', 'range') OR (measurable = 'open_range' AND has_no_highest) THEN row_id END
            AS lowest_row_id
    FROM classes
),
joined AS (
    SELECT
        r.row_id,
        r.start_on,
        r.course_end,
        r.refill,
        r.units_to_purchase,
        r.has_implausible_date,
        r.has_unread_refill,
        r.has_undated_order,
        r.has_naming_order,
        r.has_unread_length,
        w.window_start,
        w.window_end,
        CASE WHEN r.has_unread_length AND c.measurable IN ('ok', 'range') THEN 'course_length_unread'
            ELSE c.measurable END AS measurable,
        r.ended_by,
        p.* EXCLUDE (row_id),
        hi.* EXCLUDE (row_id, is_lowest),
        CASE WHEN c.has_lowest THEN lo.row_id IS NOT NULL ELSE hi.row_id IS NOT NULL END AS has_lowest,
        CASE WHEN c.has_lowest THEN lo.pdc ELSE hi.pdc END AS lo_pdc,
        CASE WHEN c.has_lowest THEN lo.reaches_threshold ELSE hi.reaches_threshold END AS lo_reaches_threshold,
        CASE WHEN c.has_lowest THEN lo.is_covered ELSE hi.is_covered END AS lo_is_covered,
        CASE WHEN c.has_lowest THEN lo.carry_in_units ELSE hi.carry_in_units END AS lo_carry_in_units,
        CASE WHEN c.has_lowest THEN lo.on_hand_days ELSE hi.on_hand_days END AS lo_on_hand_days,
        CASE WHEN c.has_lowest THEN lo.lasts_until ELSE hi.lasts_until END AS lo_lasts_until,
        CASE WHEN c.has_lowest THEN lo.course_supply_ratio ELSE hi.course_supply_ratio END AS lo_course_supply_ratio,
        CASE WHEN c.has_lowest THEN lo.end_dose ELSE hi.end_dose END AS lo_end_dose,
        g.* EXCLUDE (row_id),
        o.row_id IS NOT NULL AS is_overlapping,
        y.*
    FROM adh_rows r
    CROSS JOIN adh_policy y
    JOIN keys c USING (row_id)
    LEFT JOIN adh_windows w USING (row_id)
    LEFT JOIN adh_purchases p USING (row_id)
    LEFT JOIN adh_sides hi ON hi.row_id = c.highest_row_id AND NOT hi.is_lowest
    LEFT JOIN adh_sides lo ON lo.row_id = c.lowest_row_id AND lo.is_lowest
    LEFT JOIN adh_gap_summary g ON g.row_id = hi.row_id
    LEFT JOIN adh_overlapping o ON o.row_id = r.row_id
),
supplied AS (
    SELECT
        *,
        -- Before the window only a measured stock tells whether anything was left.
        orders = 0 AND NOT CASE
            WHEN pdc IS NULL AND lo_pdc IS NULL THEN has_earlier_fill
            ELSE coalesce(carry_in_units, 0) > 0 OR coalesce(lo_carry_in_units, 0) > 0
        END AS is_without_supply
    FROM joined
),
judged AS (
    SELECT
        *,
        -- An order without a date, or one that names the plan, may have brought something.
        is_without_supply AND NOT has_undated_order AND NOT has_naming_order AS is_without_order
    FROM supplied
)
SELECT
    row_id,
    coalesce(window_start, start_on) AS window_start,
    window_end,
    (window_end - window_start)::INTEGER AS window_days,
    measurable,
    CASE
        WHEN window_start IS NULL THEN 'not_started'
        WHEN measurable = 'prn' AND is_without_order THEN 'as_needed_not_ordered'
        WHEN measurable = 'prn' THEN 'as_needed'
        WHEN is_without_order AND ended_by IN ('cancelled', 'removed') THEN 'cancelled_before_order'
        WHEN is_without_order AND as_of - window_start >= never_ordered_days THEN 'never_ordered'
        WHEN is_without_order THEN 'awaiting_first_order'
        WHEN measurable NOT IN ('ok', 'range', 'course_length_unread') THEN 'not_measurable'
        WHEN ended_by = 'cancelled' THEN 'plan_cancelled'
        WHEN ended_by = 'removed' THEN 'recommendation_removed'
        WHEN is_without_supply AND has_naming_order THEN 'not_measurable'
        WHEN measurable = 'course_length_unread' THEN 'course_length_unread'
        WHEN course_end <= as_of AND course_supply_ratio = 1 THEN 'course_completed'
        WHEN course_end <= as_of AND has_undated_order THEN 'not_measurable'
        WHEN course_end <= as_of AND lo_course_supply_ratio < 1 THEN 'course_incomplete'
        WHEN course_end <= as_of THEN 'indeterminate'
        WHEN NOT refill AND packs >= units_to_purchase AND NOT is_covered AND NOT lo_is_covered
            THEN 'supplied_as_recommended'
        -- It may be over as recommended, if what several people share is this one's.
        WHEN NOT refill AND most_packs >= units_to_purchase AND NOT is_covered AND NOT lo_is_covered
            THEN 'indeterminate'
        WHEN is_covered AND lo_is_covered THEN 'covered'
        -- What the order without a time brought may be on hand.
        WHEN has_undated_order THEN 'not_measurable'
        -- It may be over as recommended: nobody can tell whether more is wanted.
        WHEN has_unread_refill AND NOT is_covered AND NOT lo_is_covered AND coalesce(NOT refill, true)
            AND coalesce(packs >= units_to_purchase, true) THEN 'not_measurable'
        WHEN NOT is_covered AND NOT lo_is_covered THEN 'out_of_supply'
        ELSE 'indeterminate'
    END AS status,
    CASE
        WHEN measurable = 'course_length_unread' THEN NULL
        WHEN reaches_threshold AND lo_reaches_threshold THEN 'yes'
        WHEN NOT reaches_threshold AND NOT lo_reaches_threshold AND NOT has_undated_order
            AND NOT (is_without_supply AND has_naming_order) THEN 'no'
        WHEN reaches_threshold IS NOT NULL AND lo_reaches_threshold IS NOT NULL THEN 'indeterminate'
    END AS adherent,
    pdc AS pdc_min,
    lo_pdc AS pdc_max,
    on_hand_days,
    lo_on_hand_days AS on_hand_days_max,
    CASE WHEN is_covered THEN lasts_until WHEN has_cover THEN open_gap_start END AS run_out_on,
    CASE WHEN lo_is_covered THEN lo_lasts_until END AS run_out_on_latest,
    coalesce(orders, 0) AS orders,
    coalesce(packs, 0) AS packs,
    pdc_since_first_order,
    cma1,
    cma2,
    cma5,
    supply_ratio,
    course_supply_ratio,
    (first_order_on - window_start)::INTEGER AS initiation_delay_days,
    CASE WHEN pdc IS NOT NULL THEN coalesce(longest_gap_days, 0) END AS longest_gap_days,
    gap_days,
    CASE WHEN has_cover THEN coalesce(breaks, 0) + 1 WHEN pdc IS NOT NULL THEN 0 END::INTEGER AS episodes,
    has_cover AND NOT coalesce(has_long_open_gap, false) AS is_persistent,
    first_order_on,
    last_order_on,
    units_supplied,
    carry_in_units,
    carry_in_days,
    carry_in_units > 0 AS had_stock,
    on_hand_units,
    list_filter(
        [
            CASE WHEN (window_end - window_start) < minimum_window_days THEN 'short_window' END,
            CASE WHEN is_overlapping THEN 'overlapping_plans' END,
            CASE WHEN has_invalid_quantity THEN 'invalid_quantity' END,
            CASE WHEN measurable = 'out_of_bounds' THEN 'out_of_bounds' END,
            CASE WHEN has_implausible_date THEN 'implausible_date' END,
            CASE WHEN has_unread_refill THEN 'refill_unread' END,
            CASE WHEN has_undated_order THEN 'undated_order' END,
            CASE WHEN smallest_pack < 3 * end_dose OR largest_pack > 730 * lo_end_dose THEN 'implausible_supply' END
        ],
        lambda flag: flag IS NOT NULL
    ) AS flags
FROM judged;

-- Nothing later reads these; what they hold in memory goes.
DROP TABLE adh_overlapping;
DROP TABLE adh_sides;
DROP TABLE adh_bounds;
DROP TABLE adh_blocked;
DROP TABLE adh_purchases;
DROP TABLE adh_gap_summary;
