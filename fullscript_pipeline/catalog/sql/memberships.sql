-- Records in history.category_memberships what core.category_products shows now and did not show before. $region.
CREATE OR REPLACE TEMP TABLE moved_memberships AS
SELECT c.region, m.clinic_id, m.category_id, m.product_id, concat(m.category_id, '/', m.product_id) AS membership_id,
    k.name AS category_name, m.removed_at, coalesce(m.removed_at, m.observed_at) AS valid_from
FROM core.category_products AS m
-- A region's first pull runs before its clinics are loaded, so the region of a clinic is read from the pull.
JOIN (
    SELECT DISTINCT region, clinic_id FROM ops.pulls WHERE region = $region AND resource = 'categories'
) AS c ON c.clinic_id = m.clinic_id
LEFT JOIN core.categories AS k ON k.clinic_id = m.clinic_id AND k.category_id = m.category_id
LEFT JOIN history.category_memberships AS h ON h.valid_to IS NULL AND h.clinic_id = m.clinic_id
    AND h.category_id = m.category_id AND h.product_id = m.product_id
WHERE h.valid_from IS NULL OR (h.removed_at IS NULL) <> (m.removed_at IS NULL);
UPDATE history.category_memberships AS h SET valid_to = m.valid_from FROM moved_memberships AS m
WHERE h.valid_to IS NULL AND h.clinic_id = m.clinic_id AND h.membership_id = m.membership_id;
INSERT INTO history.category_memberships BY NAME SELECT * FROM moved_memberships;
