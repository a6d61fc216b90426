-- For each product of $ids those that may take its place: which Fullscript calls similar, or which share a category of
-- the clinic with it, now or before. Only products of brands that the clinic has access to (all where that was not
-- read), which are in the catalog now. Nearest first: Fullscript's own order, then words of the name in common, then
-- categories in common. `states` has status and availability of the variants.
WITH mine AS (SELECT unnest($ids) AS product_id),
named AS (
    SELECT product_id, arg_max(name, valid_from) AS name,
        list_filter(regexp_extract_all(lower(arg_max(name, valid_from)), '[^\W\d_]{3,}'), lambda word: word NOT IN
            ('with', 'and', 'plus', 'for', 'the', 'capsules', 'tablets', 'powder', 'drops', 'liquid')) AS words
    FROM history.products WHERE region = $region GROUP BY product_id
),
shared AS (
    SELECT mine.product_id, theirs.product_id AS other_id, count(DISTINCT theirs.category_id) AS categories
    FROM mine
    JOIN core.category_products AS own ON own.product_id = mine.product_id AND own.clinic_id = $clinic
    JOIN core.category_products AS theirs ON theirs.clinic_id = $clinic AND theirs.category_id = own.category_id
        AND theirs.product_id <> own.product_id AND theirs.removed_at IS NULL
    GROUP BY ALL
),
candidates AS (
    SELECT product_id, other_id, min(place) AS place, max(categories) AS categories
    FROM (
        SELECT product_id, other_id, NULL AS place, categories FROM shared
        UNION ALL
        SELECT s.product_id, s.similar_product_id, s.place, 0 FROM core.similar_products AS s SEMI JOIN mine USING (product_id)
        WHERE s.region = $region AND s.removed_at IS NULL
    )
    GROUP BY ALL
),
ranked AS (
    SELECT c.product_id, c.other_id, p.name, p.brand_id, c.place,
        len(list_intersect(own.words, other.words)) AS overlap, c.categories
    FROM candidates AS c
    JOIN core.products AS p ON p.region = $region AND p.product_id = c.other_id AND p.removed_at IS NULL
    LEFT JOIN named AS own ON own.product_id = c.product_id
    LEFT JOIN named AS other ON other.product_id = c.other_id
    WHERE (c.place IS NOT NULL OR len(list_intersect(own.words, other.words)) > 0) AND (
        p.brand_id IN (SELECT brand_id FROM core.clinic_brands WHERE clinic_id = $clinic AND removed_at IS NULL)
        OR NOT EXISTS (SELECT 1 FROM core.clinic_brands WHERE clinic_id = $clinic AND removed_at IS NULL))
    QUALIFY row_number() OVER (
        PARTITION BY c.product_id ORDER BY c.place NULLS LAST, overlap DESC, c.categories DESC, p.name, c.other_id) <= 20
)
SELECT r.product_id, r.name, b.name AS brand_name,
    list({'status': v.status, 'availability': v.availability}) AS states
FROM ranked AS r
JOIN core.variants AS v ON v.region = $region AND v.product_id = r.other_id AND v.removed_at IS NULL
LEFT JOIN core.brands AS b ON b.region = $region AND b.brand_id = r.brand_id
GROUP BY r.product_id, r.other_id, r.name, b.name, r.place, r.overlap, r.categories
ORDER BY r.product_id, r.place NULLS LAST, r.overlap DESC, r.categories DESC, r.name, r.other_id
