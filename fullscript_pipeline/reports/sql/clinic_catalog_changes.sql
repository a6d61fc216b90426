-- What changed in the catalog on products of the clinic's plans ($ids), as seen after $since until $day; the days of a
-- held digest are left out until it is released.
SELECT
    region, changed_on, entity, entity_id, product_id, brand_id, change, field, old_value, new_value, cosmetic,
    active_plans, entity_name, product_name, brand_name
FROM marts.catalog_changes AS c
WHERE
    region = $region AND list_contains($ids, product_id) AND entity IN ('product', 'variant') AND NOT cosmetic
    AND seen_on > $since AND seen_on <= $day
    AND NOT EXISTS (
        SELECT 1 FROM marts.catalog_digests AS d
        WHERE d.region = c.region AND d.day = c.seen_on AND d.held IS NOT NULL AND d.released_at IS NULL)
ORDER BY product_name, product_id, changed_on DESC, entity, entity_name, entity_id, field NULLS FIRST
