-- For each product of $ids the product that shares a SKU (else a UPC) with it and is there at $at if it is not, or is
-- gone if it is there. Of several the one whose code was seen last; SKUs and UPCs are compared as text, exactly. A
-- code that more than three products have had stands for nothing ("N/A").
WITH codes AS (
    SELECT product_id, variant_id, unnest([{'kind': 'SKU', 'code': sku}, {'kind': 'UPC', 'code': upc}], recursive := true),
        valid_from
    FROM history.variants
    WHERE region = $region AND known_at <= $at AND product_id IS NOT NULL
),
telling AS (SELECT kind, code FROM codes WHERE trim(code) <> '' GROUP BY ALL HAVING count(DISTINCT product_id) <= 3),
present AS (
    SELECT product_id, arg_max(removed_at IS NULL, valid_from) AS is_present, arg_max(name, valid_from) AS name
    FROM history.products WHERE region = $region AND known_at <= $at GROUP BY product_id
)
SELECT mine.product_id, theirs.product_id AS other_id, other.name, mine.kind
FROM codes AS mine
JOIN telling USING (kind, code)
JOIN codes AS theirs ON theirs.kind = mine.kind AND theirs.code = mine.code AND theirs.product_id <> mine.product_id
    AND theirs.variant_id <> mine.variant_id
JOIN present AS own ON own.product_id = mine.product_id
JOIN present AS other ON other.product_id = theirs.product_id AND other.is_present <> own.is_present
WHERE list_contains($ids, mine.product_id)
QUALIFY row_number() OVER (
    PARTITION BY mine.product_id ORDER BY mine.kind, theirs.valid_from DESC, theirs.product_id) = 1
