-- Supplement lines of orders that stand, for the products that someone recommended: what the pools are filled from.
-- Units are in the base of the pack (one piece of the form, the millilitre, the milligram).

CREATE OR REPLACE TEMP TABLE adh_packs AS
WITH lines AS (
    SELECT
        i.order_id, i.position, i.variant_id, i.quantity, o.buyer_id, o.filled_on, o.has_unknown_state,
        coalesce(v.product_id, 'variant:' || i.variant_id) AS product_id,
        v.units,
        coalesce(v.unit_of_measure, '') AS pack_unit
    FROM core.order_line_items i
    JOIN adh_scope s USING (clinic_id)
    JOIN adh_orders o USING (order_id)
    LEFT JOIN core.variants v ON v.region = s.region AND v.variant_id = i.variant_id
    WHERE lower(trim(i.line_type)) = 'supplement' AND i.removed_at IS NULL
),
owned AS (
    SELECT l.*, coalesce(c.owner_id, l.buyer_id) AS patient_id, c.claim
    FROM lines l
    LEFT JOIN (SELECT DISTINCT order_id, product_id, owner_id, claim FROM adh_claims WHERE claim <> 'another') c
        USING (order_id, product_id)
    UNION ALL
    -- No fill of theirs: it only says that an order names the plan.
    SELECT l.*, c.owner_id, c.claim
    FROM lines l
    JOIN (SELECT DISTINCT order_id, product_id, owner_id, claim FROM adh_claims WHERE claim = 'another') c
        USING (order_id, product_id)
)
SELECT p.pool_id, l.*
FROM owned l
JOIN adh_pools p USING (patient_id, product_id)
JOIN adh_scope s ON coalesce(l.filled_on <= s.day, true);

-- An order without any time is no fill: nobody knows on which day its supply began.
CREATE OR REPLACE TEMP TABLE adh_undated AS
SELECT DISTINCT pool_id
FROM adh_packs
WHERE filled_on IS NULL AND quantity >= 1 AND claim IS DISTINCT FROM 'another';

-- What the rows say of orders beside their figures: of the guardian, of several people, of another, of an unknown state.
CREATE OR REPLACE TEMP TABLE adh_order_notes AS
SELECT
    k.row_id,
    coalesce(bool_or(f.claim = 'guardian'), false) AS is_ordered_by_guardian,
    coalesce(bool_or(f.claim = 'shared'), false) AS has_shared_order,
    coalesce(bool_or(f.claim = 'another'), false) AS is_ordered_by_another,
    coalesce(bool_or(f.has_unknown_state AND f.claim IS DISTINCT FROM 'another'), false) AS has_unknown_order_state
FROM adh_keys k
JOIN adh_packs f
    ON f.pool_id = k.pool_id
    AND f.quantity >= 1
    AND coalesce(f.filled_on < k.stop_on, true)
LEFT JOIN adh_claims c
    ON c.order_id = f.order_id
    AND c.product_id = k.product_id
    AND c.treatment_plan_id = k.treatment_plan_id
WHERE c.order_id IS NOT NULL
    OR ((f.filled_on >= k.start_on OR f.has_unknown_state) AND f.claim IS DISTINCT FROM 'another')
GROUP BY k.row_id;

CREATE OR REPLACE TEMP TABLE adh_fills AS
-- What was bought is one of few kinds; the arithmetic of 128-bit fractions is done once for each.
WITH kinds AS (
    SELECT DISTINCT
        quantity, units, pack_unit,
        quantity >= 1 AS is_purchase,
        -- DECIMAL(18,4) as a whole number of ten-thousandths; nothing is rounded.
        CASE WHEN units > 0 AND pack_unit <> '' THEN units END AS pack_units
    FROM adh_packs
),
counted AS (
    SELECT
        k.*,
        CASE
            WHEN k.is_purchase AND k.quantity <= 1000000000
                THEN (k.pack_units::DECIMAL(38, 4) * 10000)::HUGEINT * k.quantity * coalesce(u.factor_num, 1)
        END AS num,
        10000::HUGEINT * coalesce(u.factor_den, 1) AS den
    FROM kinds k
    LEFT JOIN adh_pack_units u USING (pack_unit)
),
reduced AS (
    SELECT
        quantity, units, pack_unit, is_purchase,
        num // gcd(num, den) AS num,
        den // gcd(num, den) AS den,
        num > 10000000000 * den AS is_implausible
    FROM counted
)
SELECT
    p.pool_id,
    p.filled_on,
    CASE WHEN r.num <= 1000000000000000 THEN r.num::BIGINT END AS num,
    coalesce(r.den::BIGINT, 1) AS den,
    p.quantity AS packs,
    (
        row_number() OVER (PARTITION BY p.pool_id, p.order_id, coalesce(r.is_purchase, false) ORDER BY p.position) = 1
    )::BIGINT AS orders,
    coalesce(r.is_purchase, false) AS is_valid,
    coalesce(p.claim = 'shared', false) AS is_shared,
    coalesce(
        r.num > 1000000000000000 OR r.is_implausible OR (r.is_purchase AND p.quantity > 1000000000), false
    ) AS is_too_large,
    p.order_id
FROM adh_packs p
JOIN reduced r
    ON r.pack_unit = p.pack_unit
    AND r.quantity IS NOT DISTINCT FROM p.quantity
    AND r.units IS NOT DISTINCT FROM p.units
WHERE p.filled_on IS NOT NULL AND p.claim IS DISTINCT FROM 'another';
