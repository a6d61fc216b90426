"""A product's history from the mart: when the product and its variants were added, changed and removed.

What does not belong here: finding changes (changes.py).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from fullscript_pipeline.errors import UsageError

_FACTS = """SELECT p.region, p.product_id, p.name, b.name, p.removed_at IS NULL,
    (SELECT min(timezone($zone, known_at)::DATE) FROM history.products AS h
        WHERE h.region = p.region AND h.product_id = p.product_id)
FROM core.products AS p LEFT JOIN core.brands AS b ON b.region = p.region AND b.brand_id = p.brand_id
WHERE p.region = $region AND p.product_id = $product"""
_VARIANTS = """SELECT variant_id, coalesce(name, sku), coalesce(units_raw, units::VARCHAR), unit_of_measure,
    coalesce(msrp_raw, msrp::VARCHAR), availability, removed_at IS NULL FROM core.variants
WHERE region = $region AND product_id = $product
ORDER BY removed_at IS NOT NULL, is_primary DESC NULLS LAST, sku, variant_id"""
_EVENTS = """SELECT changed_on, entity, entity_id, change, field, old_value, new_value, cosmetic, entity_name
FROM marts.catalog_changes WHERE region = $region AND product_id = $product
ORDER BY changed_on, seen_on, entity, entity_id, field NULLS FIRST"""
_FIND = """SELECT DISTINCT p.region, p.product_id, p.name, b.name FROM core.products AS p
LEFT JOIN core.brands AS b ON b.region = p.region AND b.brand_id = p.brand_id
LEFT JOIN core.variants AS v ON v.region = p.region AND v.product_id = p.product_id
WHERE ($region IS NULL OR p.region = $region)
    AND (p.product_id = $word OR v.variant_id = $word OR v.sku = $word OR lower(trim(p.name)) = lower($word))
ORDER BY ALL"""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One change of a product; the fields are those of marts.catalog_changes."""

    changed_on: date
    entity: str
    entity_id: str
    change: str
    field: str | None
    old_value: str | None
    new_value: str | None
    cosmetic: bool
    entity_name: str | None


@dataclass(frozen=True, slots=True)
class ProductVariant:
    """A variant as it was last seen."""

    variant_id: str
    label: str | None
    units: str | None
    unit_of_measure: str | None
    msrp: str | None
    availability: str | None
    present: bool


@dataclass(frozen=True, slots=True)
class ProductHistory:
    """A product, its variants as last seen, and all changes since it was first seen."""

    region: str
    product_id: str
    name: str | None
    brand_name: str | None
    present: bool
    first_seen_on: date
    variants: tuple[ProductVariant, ...]
    events: tuple[HistoryEvent, ...]


def find_products(
    con: duckdb.DuckDBPyConnection, word: str, region: str | None = None
) -> list[tuple[str, str, str | None, str | None]]:
    """(region, product id, name, brand) of the products with that id or exact name, or a variant with that id or SKU.

    Raises UsageError if there is none; it suggests product names that contain the word.
    """
    values: dict[str, Any] = {"word": word.strip(), "region": region}
    products = con.execute(_FIND, values).fetchall()
    if products:
        return products
    near = con.execute(
        "SELECT DISTINCT name FROM core.products WHERE ($region IS NULL OR region = $region) "
        "AND contains(lower(name), lower($word)) ORDER BY name LIMIT 3",
        values,
    ).fetchall()
    names = " or ".join(name for (name,) in near)
    hint = f"did you mean {names}?" if near else "give its id, its exact name, or a variant's id or SKU."
    raise UsageError(f"No product {word!r} has been seen{f' in region {region}' if region else ''}; {hint}")


def load_product_history(
    con: duckdb.DuckDBPyConnection, region: str, product_id: str, time_zone: str
) -> ProductHistory:
    """The history of a product that `find_products` returned."""
    values = {"region": region, "product": product_id}
    facts = con.execute(_FACTS, values | {"zone": time_zone}).fetchone()
    assert facts is not None  # noqa: S101 - `find_products` returned it
    variants = tuple(ProductVariant(*row) for row in con.execute(_VARIANTS, values).fetchall())
    events = tuple(HistoryEvent(*row) for row in con.execute(_EVENTS, values).fetchall())
    region, ident, name, brand_name, present, first_seen_on = facts
    return ProductHistory(
        region=region,
        product_id=ident,
        name=name,
        brand_name=brand_name,
        present=present,
        first_seen_on=first_seen_on,
        variants=variants,
        events=events,
    )
