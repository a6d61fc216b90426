"""The request estimate of a region's catalog day, with the sessions of its clinics.

What does not belong here: a clinic's own data (`clinic`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date

import duckdb

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.extraction.pulls import REFERENCE_LISTS
from fullscript_pipeline.extraction.request_estimate.estimate import (
    EstimateInputs,
    EstimateLine,
    Pace,
    RowCounter,
    last_pulls,
    no_counting,
)
from fullscript_pipeline.extraction.request_estimate.rules import lines_by_rule
from fullscript_pipeline.resources import resource_named
from fullscript_pipeline.resources.product_attributes import ATTRIBUTE_RESOURCES
from fullscript_pipeline.resources.product_searches import PRODUCT_SEARCHES_RESOURCE, SIMILAR_PRODUCTS_RESOURCE
from fullscript_pipeline.state import StateStore


def estimate_region(
    con: duckdb.DuckDBPyConnection | None,
    region: str,
    clinics: Sequence[ClinicRef],
    day: date,
    pace: Pace = Pace(),  # noqa: B008 -- frozen
    *,
    store: StateStore | None = None,
    count_rows: RowCounter = no_counting,
    only: Collection[str] | None = None,
) -> list[EstimateLine]:
    """Estimates a region's day. `con`: the warehouse, None when there is none; `only`: the steps that make these
    tables.

    Returns nothing for a region without a clinic.
    """
    if not clinics:
        return []
    inputs = EstimateInputs(
        owner=region,
        con=con,
        clinic=clinics[0],
        day=day,
        pace=pace,
        store=store,
        count_rows=count_rows,
        last=last_pulls(con, "region", region),
    )
    lines: list[EstimateLine] = []
    if only is None or set(only) & {table.name for table in REFERENCE_LISTS}:
        lines += _lists(inputs, clinics)
    if only is None or "products" in only:
        lines += [*_products(inputs, clinics), *_extras(inputs)]
    return lines


def _lists(inputs: EstimateInputs, clinics: Sequence[ClinicRef]) -> Iterator[EstimateLine]:
    """Estimates the reference lists. Brands are listed in full, those on sale, and those that each clinic may
    prescribe."""
    for table in REFERENCE_LISTS:
        yield from lines_by_rule(inputs, resource_named(table.name))
    for clinic in clinics:
        of_clinic = _of_clinic(inputs, clinic)
        yield of_clinic.listed("clinic_brands", "GET /catalog/brands", table="brands", endpoint_name="brands")


def _products(inputs: EstimateInputs, clinics: Sequence[ClinicRef]) -> Iterator[EstimateLine]:
    """Estimates the restricted list where it is granted; else categories, and the other products by id."""
    refusals = [
        inputs.store.refusals.reason(clinic, "products", inputs.day) if inputs.store else None for clinic in clinics
    ]
    granted = inputs.is_loaded("products")
    yield _of_clinic(inputs, clinics[0]).line(
        "product_events",
        "GET /events/products*",
        1,
        "the events since the last poll; and one for each new event, which dates a change",
        at_least=True,
        table="products",
        refused_as="product_events",
    )
    if granted:
        yield inputs.listed("products", "GET /catalog/products")
    elif all(refusals):
        why = f"skipped: refused to every clinic today ({refusals[0]})"
        yield inputs.line("products", "GET /catalog/products", 0, why)
    else:
        why = "one for each clinic until one may read it; a refusal is stored for the day"
        yield inputs.line("products", "GET /catalog/products", refusals.count(None), why)
    for clinic in clinics:
        yield _categories(_of_clinic(inputs, clinic))
    unseen = 0 if granted else _unseen_products(inputs, clinics)
    why = "skipped: the list holds them all" if granted else "known products that no category showed"
    yield inputs.line("products_by_id", "GET /catalog/products/{id}", unseen, why, table="products")


def _categories(inputs: EstimateInputs) -> EstimateLine:
    shown = """SELECT coalesce(sum(greatest(1, ceil(n / 100.0))), 0) FROM (SELECT count(p.product_id) AS n
        FROM core.categories c LEFT JOIN core.category_products p
            ON p.clinic_id = c.clinic_id AND p.category_id = c.category_id AND p.removed_at IS NULL
        WHERE c.clinic_id = $clinic AND c.removed_at IS NULL GROUP BY c.category_id)"""
    pages = inputs.number(shown)
    why = "the categories and the pages of each" if pages else "never pulled: one, and at least one for each category"
    endpoint = "GET /clinic/categories*"
    return inputs.line(
        "categories", endpoint, pages + 1, why, at_least=not pages, table="products", refused_as="categories"
    )


def _unseen_products(inputs: EstimateInputs, clinics: Sequence[ClinicRef]) -> int:
    return inputs.number(
        """SELECT count(*) FROM core.products p WHERE region = $region AND removed_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM core.category_products c WHERE c.product_id = p.product_id AND c.removed_at IS NULL
            AND c.clinic_id IN (SELECT unnest($clinics::VARCHAR[])))""",
        clinics=[clinic.clinic_id for clinic in clinics],
    )


def _extras(inputs: EstimateInputs) -> Iterator[EstimateLine]:
    for resource in (SIMILAR_PRODUCTS_RESOURCE, PRODUCT_SEARCHES_RESOURCE, *ATTRIBUTE_RESOURCES):
        yield from lines_by_rule(inputs, resource, table="products")


def _of_clinic(inputs: EstimateInputs, clinic: ClinicRef) -> EstimateInputs:
    """Returns the inputs for one clinic of the region: its counts and refusals."""
    last = last_pulls(inputs.con, "clinic_id", clinic.clinic_id)
    return replace(inputs, owner=clinic.clinic_key, clinic=clinic, last=last)
