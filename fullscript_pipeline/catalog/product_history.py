"""The history of products: when they and their variants came, changed and went, at which price, in stock or not.

What does not belong here: finding a product (product_search.py), finding changes (changes.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import duckdb

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.stock_states import shortage_reason
from fullscript_pipeline.typed_rows import typed_row

_FACTS = """SELECT p.product_id, p.name, p.brand_id, b.name, p.removed_at IS NULL,
    (SELECT min(timezone($zone, known_at)::DATE) FROM history.products AS h
        WHERE h.region = p.region AND h.product_id = p.product_id)
FROM core.products AS p LEFT JOIN core.brands AS b ON b.region = p.region AND b.brand_id = p.brand_id
WHERE p.region = $region AND list_contains($ids, p.product_id) ORDER BY p.product_id"""
_VARIANTS = """SELECT product_id, variant_id, coalesce(name, sku), coalesce(units_raw, units::VARCHAR), unit_of_measure,
    coalesce(msrp_raw, msrp::VARCHAR), availability, status, sku, upc, removed_at IS NULL FROM core.variants
WHERE region = $region AND list_contains($ids, product_id)
ORDER BY product_id, removed_at IS NOT NULL, is_primary DESC NULLS LAST, sku, variant_id"""
# Days of a held digest are left out until it is released.
_EVENTS = """SELECT {columns} FROM marts.catalog_changes AS c
WHERE region = $region AND list_contains($ids, product_id) AND NOT EXISTS (SELECT 1 FROM marts.catalog_digests AS d
    WHERE d.region = c.region AND d.day = c.seen_on AND d.held IS NOT NULL AND d.released_at IS NULL)
ORDER BY changed_on, seen_on, entity, entity_id, field NULLS FIRST"""
_STRETCHES = """SELECT c.product_id, v.variant_id, timezone($zone, v.valid_from)::DATE,
    timezone($zone, v.valid_to)::DATE, v.msrp, v.status, v.availability, v.removed_at IS NOT NULL
FROM history.variants AS v JOIN core.variants AS c ON c.region = v.region AND c.variant_id = v.variant_id
WHERE v.region = $region AND list_contains($ids, c.product_id) ORDER BY v.variant_id, v.valid_from"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductVariant:
    """A variant as it was last seen."""

    variant_id: str
    label: str | None
    units: str | None
    unit_of_measure: str | None
    msrp: str | None
    availability: str | None
    status: str | None
    sku: str | None
    upc: str | None
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantStretch:
    """The days [start, end) of a version of a variant; `end`: None while it lasts. `shortage`: why it cannot be had."""

    variant_id: str
    start: date
    end: date | None
    price: Decimal | None
    shortage: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductHistory:
    """A product, its variants as last seen, and all changes since it was first seen.

    `plans`: how many active plans recommend it at the end of each month; empty where that was not loaded.
    """

    region: str
    product_id: str
    name: str | None
    brand_id: str | None
    brand_name: str | None
    present: bool
    first_seen_on: date
    variants: Sequence[ProductVariant]
    events: Sequence[CatalogChange]
    stretches: Sequence[VariantStretch]
    plans: Sequence[tuple[date, int]] = ()


def load_product_history(
    con: duckdb.DuckDBPyConnection, region: str, product_id: str, time_zone: str
) -> ProductHistory:
    """The history of a product that `find_products` returned."""
    (history,) = load_product_histories(con, region, [product_id], time_zone)
    return history


def load_product_histories(
    con: duckdb.DuckDBPyConnection,
    region: str,
    product_ids: Sequence[str],
    time_zone: str,
    *,
    plans_until: date | None = None,
) -> list[ProductHistory]:
    """The histories of these products, by id; with `plans_until` also their plans by month until that day."""
    values: dict[str, Any] = {"region": region, "ids": list(product_ids)}
    zoned = values | {"zone": time_zone}
    variants = _by_first_column(con.execute(_VARIANTS, values).fetchall())
    stretches = _by_first_column(con.execute(_STRETCHES, zoned).fetchall())
    plans: Mapping[str, list[tuple[Any, ...]]] = {}
    if plans_until:
        sql = resources.files(__package__).joinpath("sql", "product_plans.sql").read_text(encoding="utf-8")
        plans = _by_first_column(con.execute(sql, zoned | {"day": plans_until}).fetchall())
    events = _load_events(con, values)
    return [
        ProductHistory(
            region=region,
            product_id=product_id,
            name=name,
            brand_id=brand_id,
            brand_name=brand_name,
            present=present,
            first_seen_on=first_seen_on,
            variants=[typed_row(ProductVariant, row) for row in variants.get(product_id, [])],
            events=events[product_id],
            stretches=[_stretch(*row) for row in stretches.get(product_id, [])],
            plans=[(day, count) for day, count in plans.get(product_id, [])],
        )
        for product_id, name, brand_id, brand_name, present, first_seen_on in con.execute(_FACTS, zoned).fetchall()
    ]


def _load_events(con: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> dict[str | None, list[CatalogChange]]:
    """The changes of the products, by product."""
    events: dict[str | None, list[CatalogChange]] = defaultdict(list)
    for row in con.execute(_EVENTS.format(columns=", ".join(CatalogChange._fields)), values).fetchall():
        change = CatalogChange(*row)
        events[change.product_id].append(change)
    return events


def _stretch(
    variant_id: str,
    start: date,
    end: date | None,
    price: Decimal | None,
    *state: Any,
) -> VariantStretch:
    status, availability, removed = state
    reason = shortage_reason(status, availability, removed=removed)
    return VariantStretch(variant_id=variant_id, start=start, end=end, price=price, shortage=reason)


def _by_first_column(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row[1:])
    return found
