-- The orders that concern the wanted patients, and whose supply their lines are (method, section 3).
-- A guardian may order for a dependent, on the guardian's own account.

-- Orders that stand and that a wanted patient placed, or that name a wanted patient's plan.
CREATE OR REPLACE TEMP TABLE adh_orders AS
WITH own_plans AS (
    SELECT p.treatment_plan_id
    FROM core.treatment_plans p
    JOIN adh_scope s USING (clinic_id)
    SEMI JOIN adh_wanted w ON w.patient_id = p.patient_id
),
-- Row ids keep the scans of a clinic's whole history to one column each.
concerned AS (
    SELECT o.rowid AS order_row
    FROM core.orders o
    JOIN adh_scope s USING (clinic_id)
    SEMI JOIN adh_wanted w ON w.patient_id = o.patient_id
    UNION
    SELECT order_row
    FROM (
        SELECT o.rowid AS order_row, unnest(o.treatment_plan_ids) AS treatment_plan_id
        FROM core.orders o
        JOIN adh_scope s USING (clinic_id)
    )
    SEMI JOIN own_plans USING (treatment_plan_id)
)
SELECT
    o.order_id, o.patient_id AS buyer_id, o.treatment_plan_ids,
    -- The vendor speaks of completed and of refunded orders; another word counts, and is said.
    coalesce(lower(trim(coalesce(o.state, o.status))) NOT IN ('complete', 'completed', 'refunded'), false)
        AS has_unknown_state,
    coalesce(o.completed_on, timezone(s.zone, o.completed_at)::DATE) + y.delivery_lag_days AS filled_on
FROM core.orders o
CROSS JOIN adh_scope s
CROSS JOIN adh_policy y
WHERE o.rowid IN (SELECT order_row FROM concerned)
    AND o.removed_at IS NULL
    AND NOT coalesce(o.is_refunded, false);

CREATE OR REPLACE TEMP TABLE adh_named_plans AS
WITH named AS (
    SELECT order_id, buyer_id, unnest(treatment_plan_ids) AS treatment_plan_id FROM adh_orders
),
owned AS (
    SELECT DISTINCT n.*, p.patient_id AS owner_id
    FROM named n
    JOIN core.treatment_plans p USING (treatment_plan_id)
    JOIN adh_scope s USING (clinic_id)
    WHERE p.patient_id IS NOT NULL
)
SELECT o.*, coalesce(p.guardian_patient_id = o.buyer_id, false) AS is_dependent
FROM owned o
SEMI JOIN (SELECT order_id FROM owned WHERE owner_id <> buyer_id) USING (order_id)
CROSS JOIN adh_scope s
LEFT JOIN core.patients p ON p.clinic_id = s.clinic_id AND p.patient_id = o.owner_id;

-- What kind of claim each person has on a product of such an order.
--   guardian   it is the dependent's fill, and not the guardian's
--   shared     several people; each row is an interval from none of it to all of it
--   another    no guardian's order: it is the buyer's fill, and the named plan's row says so
CREATE OR REPLACE TEMP TABLE adh_claims AS
WITH products AS (
    SELECT DISTINCT r.treatment_plan_id, coalesce(v.product_id, 'variant:' || r.variant_id) AS product_id
    FROM history.recommendations r
    JOIN adh_scope s USING (clinic_id)
    SEMI JOIN adh_named_plans USING (treatment_plan_id)
    LEFT JOIN core.variants v ON v.region = s.region AND v.variant_id = r.variant_id
    WHERE r.variant_id IS NOT NULL AND r.removed_at IS NULL
),
wanting AS (
    SELECT
        n.order_id, p.product_id, n.owner_id, n.buyer_id, n.treatment_plan_id, n.is_dependent,
        count(DISTINCT n.owner_id) OVER (PARTITION BY n.order_id, p.product_id) AS people,
        bool_or(n.is_dependent) OVER (PARTITION BY n.order_id, p.product_id) AS is_guardians
    FROM adh_named_plans n
    JOIN products p USING (treatment_plan_id)
)
SELECT
    order_id, product_id, owner_id, treatment_plan_id,
    CASE
        WHEN is_dependent AND people = 1 THEN 'guardian'
        WHEN is_guardians AND (is_dependent OR owner_id = buyer_id) THEN 'shared'
        ELSE 'another'
    END AS claim
FROM wanting
WHERE is_guardians OR owner_id <> buyer_id;
