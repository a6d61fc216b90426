"""The bill of a region's catalog day, through the doors of its clinics.

What does not belong here: a clinic's own data (`clinic`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date

import duckdb

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.extraction.pulls import REFERENCE_LISTS
from fullscript_pipeline.extraction.request_estimate.estimate import Ask, BillLine, Known, Pace, ask_nobody, last_pulls
from fullscript_pipeline.extraction.request_estimate.rules import lines_by_rule
from fullscript_pipeline.resources import resource_named
from fullscript_pipeline.resources.product_searches import PRODUCT_SEARCHES_RESOURCE, SIMILAR_PRODUCTS_RESOURCE
from fullscript_pipeline.state import StateStore


def plan_region(
    con: duckdb.DuckDBPyConnection | None,
    region: str,
    clinics: Sequence[ClinicRef],
    day: date,
    pace: Pace = Pace(),  # noqa: B008 -- frozen
    *,
    store: StateStore | None = None,
    ask: Ask = ask_nobody,
    only: Collection[str] | None = None,
) -> list[BillLine]:
    """A region's day. `con` reads the warehouse, None while there is none; `only`: the steps that make these tables.

    Nothing when there is no clinic to ask through.
    """
    if not clinics:
        return []
    known = Known(region, con, clinics[0], day, pace, store, ask, last_pulls(con, "region", region))
    lines: list[BillLine] = []
    if only is None or set(only) & {table.name for table in REFERENCE_LISTS}:
        lines += _lists(known, clinics)
    if only is None or "products" in only:
        lines += [*_products(known, clinics), *_extras(known)]
    return lines


def _lists(known: Known, clinics: Sequence[ClinicRef]) -> Iterator[BillLine]:
    """Brands come in two forms: all of them and those on sale; and as each clinic may prescribe them."""
    for table in REFERENCE_LISTS:
        yield from lines_by_rule(known, resource_named(table.name))
    for clinic in clinics:
        of_clinic = _of_clinic(known, clinic)
        yield of_clinic.listed("clinic_brands", "GET /catalog/brands", table="brands", asked_as="brands")


def _products(known: Known, clinics: Sequence[ClinicRef]) -> Iterator[BillLine]:
    """The restricted list where it is granted; else categories, and by id what they do not show."""
    refusals = [known.store.unavailable(one, "products", known.day) if known.store else None for one in clinics]
    granted = known.is_loaded("products")
    yield _of_clinic(known, clinics[0]).line(
        "product_events",
        "GET /events/products*",
        1,
        "what happened since the last look; and one for each new event, which dates a change",
        at_least=True,
        table="products",
        listed_as="product_events",
    )
    if granted:
        yield known.listed("products", "GET /catalog/products")
    elif all(refusals):
        why = f"skipped: refused to every clinic today ({refusals[0]})"
        yield known.line("products", "GET /catalog/products", 0, why)
    else:
        why = "one for each clinic until one may read it; a refusal is remembered for the day"
        yield known.line("products", "GET /catalog/products", refusals.count(None), why)
    for clinic in clinics:
        yield _categories(_of_clinic(known, clinic))
    unseen = 0 if granted else _unseen_products(known, clinics)
    why = "skipped: the list holds them all" if granted else "known products that no category showed"
    yield known.line("products_by_id", "GET /catalog/products/{id}", unseen, why, table="products")


def _categories(known: Known) -> BillLine:
    shown = """SELECT coalesce(sum(greatest(1, ceil(n / 100.0))), 0) FROM (SELECT count(p.product_id) AS n
        FROM core.categories c LEFT JOIN core.category_products p
            ON p.clinic_id = c.clinic_id AND p.category_id = c.category_id AND p.removed_at IS NULL
        WHERE c.clinic_id = $clinic AND c.removed_at IS NULL GROUP BY c.category_id)"""
    pages = known.number(shown)
    why = "the categories and the pages of each" if pages else "never pulled: one, and at least one for each category"
    endpoint = "GET /clinic/categories*"
    return known.line(
        "categories", endpoint, pages + 1, why, at_least=not pages, table="products", listed_as="categories"
    )


def _unseen_products(known: Known, clinics: Sequence[ClinicRef]) -> int:
    return known.number(
        """SELECT count(*) FROM core.products p WHERE region = $region AND removed_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM core.category_products c WHERE c.product_id = p.product_id AND c.removed_at IS NULL
            AND c.clinic_id IN (SELECT unnest($clinics::VARCHAR[])))""",
        clinics=[one.clinic_id for one in clinics],
    )


def _extras(known: Known) -> Iterator[BillLine]:
    for resource in (SIMILAR_PRODUCTS_RESOURCE, PRODUCT_SEARCHES_RESOURCE):
        yield from lines_by_rule(known, resource, table="products")


def _of_clinic(known: Known, clinic: ClinicRef) -> Known:
    """The same day through one clinic's door: what was counted there, what is refused there."""
    last = last_pulls(known.con, "clinic_id", clinic.clinic_id)
    return replace(known, owner=clinic.clinic_key, clinic=clinic, last=last)
