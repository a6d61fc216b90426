"""Finds the product of a product event: its payload names variants only.

A stored variant names its product; any other variant is fetched. What does not belong here: fetching the product.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.extraction.engine import Pull, in_parallel
from fullscript_pipeline.extraction.event_proof import VARIANT
from fullscript_pipeline.extraction.pulls import product_id_of
from fullscript_pipeline.ids import usable_id
from fullscript_pipeline.refresh.cost_plan import is_product_event
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.state import LedgerEvent
from fullscript_pipeline.warehouse import Line, Warehouse
from fullscript_pipeline.warehouse.loading import narrowings, pull_log


def variant_ids_in(record: Mapping[str, Any]) -> list[str]:
    """Returns the variants of a product event. Its data is the product, or holds it; one documented sample of
    product.created has brand and variants beside the data."""
    data = record.get("data")
    inside = data if isinstance(data, dict) else {}
    product = inside.get("product")
    places = [place.get("variants") for place in (product, inside, record) if isinstance(place, dict)]
    rows = next((rows for rows in places if isinstance(rows, list)), [])
    return [
        variant_id for row in rows if isinstance(row, dict) and (variant_id := usable_id(row.get("id"))) is not None
    ]


def variant_hint(record: Mapping[str, Any]) -> str | None:
    """Returns what the ledger keeps of a product event without a product: one of its variants."""
    variants = variant_ids_in(record)
    return VARIANT + variants[0] if variants else None


def product_ids_for_events(
    pull: Pull, session: ClinicSession, events: Iterable[LedgerEvent], details: Mapping[str, Line]
) -> dict[str, str]:
    """Returns product ids by event id, for the product events whose product could be found."""
    variants_by_event = {
        event.event_id: _variant_ids_of(event, details.get(event.event_id))
        for event in events
        if is_product_event(event)
    }
    named = {event.event_id: event.resource_id for event in events if is_product_event(event)}
    product_by_event = {
        event_id: product
        for event_id, product in named.items()
        if product is not None and not product.startswith(VARIANT)
    }
    variant_ids = [variant for variants in variants_by_event.values() for variant in variants]
    stored = _stored_product_ids(pull.target.warehouse, session.clinic.region, variant_ids)
    for event_id, variants in variants_by_event.items():
        if product := next((stored[variant] for variant in variants if variant in stored), None):
            product_by_event.setdefault(event_id, product)
    unresolved = {
        event_id: variants[0]
        for event_id, variants in variants_by_event.items()
        if variants and event_id not in product_by_event
    }
    in_parallel(lambda variant: _land_variant(pull, session, variant), dict.fromkeys(unresolved.values()))
    product_by_variant = {line.id: product_id_of(line) for line in pull.file.lines("variant")}
    return product_by_event | {
        event_id: product
        for event_id, variant in unresolved.items()
        if (product := product_by_variant.get(variant)) is not None
    }


def catalog_listed_at(warehouse: Warehouse, region: str) -> datetime | None:
    """Returns when the region's whole catalog was last listed: earlier events need no fetch of their own.

    None: never, or the last listing was by a reader view that sees less than another.
    """
    with warehouse.read() as con:
        is_narrowed = any(narrowing.table == PRODUCTS.name for narrowing in narrowings(con, region))
        return None if is_narrowed else pull_log.last_catalog_list(con, region)


def _variant_ids_of(event: LedgerEvent, detail: Line | None) -> list[str]:
    if detail is not None:
        return variant_ids_in(orjson.loads(detail.record))
    hint = event.resource_id or ""
    return [hint.removeprefix(VARIANT)] if hint.startswith(VARIANT) else []


def _stored_product_ids(warehouse: Warehouse, region: str, variants: Sequence[str]) -> dict[str, str]:
    if not variants:
        return {}
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT variant_id, product_id FROM core.variants WHERE region = ? AND variant_id IN ? "
            "AND product_id IS NOT NULL",
            [region, list(dict.fromkeys(variants))],
        ).fetchall()
    return dict(rows)


def _land_variant(pull: Pull, session: ClinicSession, variant: str) -> None:
    """Lands a variant, if this clinic may see it."""
    try:
        pull.land_object(session, "variant", variant)
    except ScopeError:
        return
