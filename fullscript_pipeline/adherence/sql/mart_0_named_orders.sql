-- Orders that name a plan of another person than the one who bought, and whose supply their lines are (method, section 3).
-- A guardian may order for a dependent, on the guardian's own account.

CREATE OR REPLACE TEMP TABLE adh_named_plans AS
WITH named AS (
    SELECT o.order_id, o.patient_id AS buyer_id, unnest(o.treatment_plan_ids) AS treatment_plan_id
    FROM core.orders o
    JOIN adh_scope s USING (clinic_id)
    WHERE o.removed_at IS NULL AND NOT coalesce(o.is_refunded, false)
),
owners AS (
    SELECT p.treatment_plan_id, p.patient_id AS owner_id
    FROM core.treatment_plans p
    JOIN adh_scope s USING (clinic_id)
    WHERE p.patient_id IS NOT NULL
),
owned AS (
    SELECT DISTINCT n.*, o.owner_id
    FROM named n
    JOIN owners o USING (treatment_plan_id)
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
