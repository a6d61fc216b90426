-- Each plan as it was known at the end of the day adh_scope.day: when it started, whether and when it ended.
-- Dates the vendor does not give, or that nobody can mean, come from events, else from the first version that shows them
-- (method, section 2). A date that could not be typed stands in `extra` as it was written.

CREATE OR REPLACE TEMP TABLE adh_plan_versions AS
WITH versions AS (
    SELECT
        p.treatment_plan_id, p.patient_id, p.practitioner_id, lower(trim(p.state)) AS state,
        adh_plausible(p.available_at, y.as_of) AS available_at,
        adh_plausible(p.created_on, y.as_of) AS created_on,
        adh_plausible(p.updated_on, y.as_of) AS updated_on,
        p.removed_at, p.valid_from,
        timezone(s.zone, p.valid_from)::DATE AS seen_on,
        -- The last change dates an end only.
        p.available_at IS NOT NULL AND adh_plausible(p.available_at, y.as_of) IS NULL
            OR p.created_on IS NOT NULL AND adh_plausible(p.created_on, y.as_of) IS NULL
            OR coalesce(json_exists(p.extra, '$.available_at') OR json_exists(p.extra, '$.created_at'), false)
            OR lower(trim(p.state)) = 'cancelled' AND (
                p.updated_on IS NOT NULL AND adh_plausible(p.updated_on, y.as_of) IS NULL
                OR coalesce(json_exists(p.extra, '$.updated_at'), false)
            ) AS has_implausible_date
    FROM history.treatment_plans p
    JOIN adh_scope s USING (clinic_id)
    CROSS JOIN adh_policy y
    SEMI JOIN adh_wanted w ON w.patient_id = p.patient_id
),
compared AS (
    SELECT
        *,
        lag(valid_from) OVER w IS NULL AS is_first,
        lag(state) OVER w AS previous_state,
        lag(removed_at) OVER w IS NOT NULL AS was_removed
    FROM versions
    WINDOW w AS (PARTITION BY treatment_plan_id ORDER BY valid_from)
)
SELECT
    c.*,
    -- The cancellation event before this version was seen; a day of slack for clocks.
    max(e.created_on) FILTER (
        c.state = 'cancelled'
        AND e.event_type = 'treatment_plan.updated'
        AND e.created_at <= c.valid_from + INTERVAL 1 DAY
    ) AS cancel_event_on,
    min(e.created_on) FILTER (e.event_type = 'treatment_plan.created') AS created_event_on
FROM compared c
LEFT JOIN (
    SELECT e.* REPLACE (adh_plausible(e.created_on, y.as_of) AS created_on)
    FROM core.events e
    JOIN adh_scope s USING (clinic_id)
    CROSS JOIN adh_policy y
) e ON e.resource_id = c.treatment_plan_id
GROUP BY ALL;

-- Which versions count on the day: the first (the past before the first pull is what it shows) and those dated by then.
CREATE OR REPLACE TEMP TABLE adh_plan_dated AS
SELECT
    v.*,
    CASE
        WHEN is_first THEN DATE '0001-01-01'
        WHEN state = 'active' AND previous_state = 'draft' THEN coalesce(created_event_on, seen_on)
        WHEN state = 'cancelled' AND previous_state <> 'cancelled' THEN coalesce(cancel_event_on, seen_on)
        ELSE seen_on
    END AS effective_on
FROM adh_plan_versions v;

CREATE OR REPLACE TEMP TABLE adh_plans AS
WITH known AS (
    SELECT d.* FROM adh_plan_dated d, adh_scope s WHERE d.is_first OR d.effective_on <= s.day
),
latest AS (
    SELECT * FROM known QUALIFY row_number() OVER (PARTITION BY treatment_plan_id ORDER BY valid_from DESC) = 1
),
dates AS (
    SELECT
        l.*,
        min(k.effective_on) FILTER (k.state = 'active' AND k.previous_state = 'draft') AS activation_seen_on,
        -- The last change into the state it is in.
        max(k.effective_on) FILTER (
            k.state = 'cancelled' AND NOT k.is_first AND k.previous_state IS DISTINCT FROM 'cancelled'
        ) AS cancellation_seen_on,
        max(k.seen_on) FILTER (k.removed_at IS NOT NULL AND NOT k.was_removed) AS vanished_on
    FROM latest l
    JOIN known k USING (treatment_plan_id)
    GROUP BY ALL
),
started AS (
    SELECT
        *,
        coalesce(created_event_on, activation_seen_on) AS dated_activation_on,
        coalesce(created_event_on, activation_seen_on, available_at, created_on, seen_on) AS activated_on
    FROM dates
)
SELECT
    t.treatment_plan_id, t.patient_id, t.practitioner_id, t.state,
    greatest(t.activated_on, coalesce(t.available_at, t.activated_on)) AS started_on,
    CASE
        WHEN t.state = 'cancelled'
            THEN coalesce(t.cancellation_seen_on, t.cancel_event_on, t.updated_on, t.seen_on)
    END AS cancelled_on,
    CASE WHEN t.removed_at IS NOT NULL THEN t.vanished_on END AS vanished_on,
    t.state IS NULL OR t.state NOT IN ('active', 'cancelled') AS has_unknown_state,
    coalesce(t.has_implausible_date, false) AS has_implausible_date
FROM started t, adh_scope s
-- Drafts give no row; nor do plans that did not exist, or were still a draft, on the day.
WHERE t.state IS DISTINCT FROM 'draft'
    AND t.patient_id IS NOT NULL
    AND coalesce(t.created_on, s.day) <= s.day
    AND coalesce(t.dated_activation_on, s.day) <= s.day;
