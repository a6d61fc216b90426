"""Which product a product event is about: its payload names variants only.

A variant that is stored names its product; any other is asked for. What does not belong here: reading the product.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.extraction.engine import Pull, in_parallel
from fullscript_pipeline.extraction.event_proof import VARIANT
from fullscript_pipeline.extraction.pulls import product_of
from fullscript_pipeline.ids import usable_id
from fullscript_pipeline.refresh.cost_plan import is_of_product
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.state import LedgerEvent
from fullscript_pipeline.warehouse import Line, Warehouse
from fullscript_pipeline.warehouse.loading import narrowings, pull_log


def variants_in(record: Mapping[str, Any]) -> list[str]:
    """The variants of a product event: its data is the product or holds it, and one printed sample of product.created
    has brand and variants beside the data."""
    data = record.get("data")
    inside = data if isinstance(data, dict) else {}
    product = inside.get("product")
    places = [place.get("variants") for place in (product, inside, record) if isinstance(place, dict)]
    rows = next((rows for rows in places if isinstance(rows, list)), [])
    return [one for row in rows if isinstance(row, dict) and (one := usable_id(row.get("id"))) is not None]


def hint_of(record: Mapping[str, Any]) -> str | None:
    """What the ledger can keep of a product event that names no product: one of its variants."""
    variants = variants_in(record)
    return VARIANT + variants[0] if variants else None


def resolve(
    pull: Pull,
    session: ClinicSession,
    warehouse: Warehouse,
    events: Iterable[LedgerEvent],
    details: Mapping[str, Line],
) -> dict[str, str]:
    """Product ids by event id, for the product events whose product could be found out."""
    told = {
        event.event_id: _variants_of(event, details.get(event.event_id)) for event in events if is_of_product(event)
    }
    named = {event.event_id: event.resource_id for event in events if is_of_product(event)}
    found = {one: its for one, its in named.items() if its is not None and not its.startswith(VARIANT)}
    stored = _stored(warehouse, session.clinic.region, [one for its in told.values() for one in its])
    for event_id, variants in told.items():
        if product := next((stored[one] for one in variants if one in stored), None):
            found.setdefault(event_id, product)
    strangers = {event_id: its[0] for event_id, its in told.items() if its and event_id not in found}
    in_parallel(lambda one: _ask(pull, session, one), dict.fromkeys(strangers.values()))
    asked = {line.id: product_of(line) for line in pull.file.lines("variant")}
    return found | {one: product for one, variant in strangers.items() if (product := asked.get(variant)) is not None}


def listed_at(warehouse: Warehouse, region: str) -> datetime | None:
    """When the region's whole catalog was last listed: what was told before needs no reading of its own.

    None: never, or last by a view that sees less than another one did.
    """
    with warehouse.read() as con:
        is_narrowed = any(one.table == PRODUCTS.name for one in narrowings(con, region))
        return None if is_narrowed else pull_log.last_catalog_list(con, region)


def _variants_of(event: LedgerEvent, detail: Line | None) -> list[str]:
    if detail is not None:
        return variants_in(orjson.loads(detail.record))
    hint = event.resource_id or ""
    return [hint.removeprefix(VARIANT)] if hint.startswith(VARIANT) else []


def _stored(warehouse: Warehouse, region: str, variants: Sequence[str]) -> dict[str, str]:
    if not variants:
        return {}
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT variant_id, product_id FROM core.variants WHERE region = ? AND variant_id IN ? "
            "AND product_id IS NOT NULL",
            [region, list(dict.fromkeys(variants))],
        ).fetchall()
    return dict(rows)


def _ask(pull: Pull, session: ClinicSession, variant: str) -> None:
    """Lands a variant that is not stored, if this clinic may see it."""
    try:
        pull.one(session, "variant", variant)
    except ScopeError:
        return
