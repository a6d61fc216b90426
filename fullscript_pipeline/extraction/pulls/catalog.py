"""A region's catalog: reference lists, and products from whichever source is permitted.

The full product list is restricted: each connected clinic tries it until one may read it. Otherwise the sources are
each clinic's categories, then by id the stored products that no category showed. A product is removed only when every
connected clinic gets 404 twice, an hour apart; one that was not seen stays.

What does not belong here: stored products by id (`known_products`), product events (`product_events`), brands
(`brands`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine import (
    CompletedRows,
    DetailSource,
    FetchedList,
    Load,
    Pull,
    Report,
    Target,
    complete_from_details,
    in_parallel,
    record_refusal_by_all,
)
from fullscript_pipeline.extraction.pulls.brands import pull_brands
from fullscript_pipeline.extraction.pulls.catalog_coverage import sighting_recorder
from fullscript_pipeline.extraction.pulls.known_products import pull_known_products
from fullscript_pipeline.extraction.pulls.products import complete_products, is_complete_product, without_custom_dosage
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.brands import BRANDS
from fullscript_pipeline.resources.categories import CATEGORIES, CATEGORY_PRODUCTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import UNKEYED, Line, canonical, content_hash, record_key
from fullscript_pipeline.warehouse.loading import EVERYTHING

# The fields in which a category may hold its subcategories.
_NESTED = ("sub_categories", "subcategories", "children", "categories")

# The catalog's small lists, with brands first.
REFERENCE_LISTS: tuple[Table, ...] = (
    BRANDS,
    *(
        resource.tables[0]
        for resource in ALL_RESOURCES
        if resource.partition == "region" and resource.listing == "whole list"
    ),
)


def pull_reference_lists(target: Target, sessions: Sequence[ClinicSession]) -> list[Report]:
    """Pulls brands and the other small lists."""
    return [
        *pull_brands(target, sessions),
        *(pull_reference_list(target, sessions, table) for table in REFERENCE_LISTS if table is not BRANDS),
    ]


def pull_reference_list(target: Target, sessions: Sequence[ClinicSession], table: Table) -> Report:
    """Pulls a small list with the first clinic that may read it."""
    pull = Pull(target, table.name)
    refusals: list[Exception] = []
    for session in sessions:
        try:
            listing = pull.walk(session, table.name)
        except (ScopeError, NotFound, NeedsConnect) as error:
            refusals.append(error)
            continue
        return pull.commit(
            Load(table=table, lines=pull.lines(table.name), missing_among=EVERYTHING if listing.complete else None),
            total_count=listing.total_count,
        )
    return record_refusal_by_all(pull, refusals)


def pull_products(target: Target, sessions: Sequence[ClinicSession], *, asks_every_clinic: bool = True) -> list[Report]:
    """Pulls the restricted list where it is granted; else every clinic's categories, then the other products by id.

    `asks_every_clinic`: the sessions are those of every connected clinic of the region; only then a 404 can prove that
    a product is gone.
    """
    granted = _pull_full_list(target, sessions)
    if granted.outcome == "loaded":
        return [granted, *(_pull_categories(target, session)[0] for session in sessions)]
    by_clinic = [_pull_categories(target, session) for session in sessions]
    read = {product for _, products in by_clinic for product in products}
    return [
        *(report for report, _ in by_clinic),
        pull_known_products(target, sessions, read, asks_every_clinic=asks_every_clinic),
    ]


def _pull_full_list(target: Target, sessions: Sequence[ClinicSession]) -> Report:
    """Pulls GET /catalog/products with each clinic until one is permitted."""
    pull = Pull(target, "products")
    refusals: list[Exception] = []
    for session in sessions:
        try:
            listing = pull.walk(session, "products")
            rows = _listed_products(pull, session)
        except (ScopeError, NotFound, NeedsConnect) as error:
            refusals.append(error)
            continue
        return _commit_full_list(pull, session, listing, rows)
    return record_refusal_by_all(pull, refusals)


def _commit_full_list(pull: Pull, session: ClinicSession, listing: FetchedList, rows: CompletedRows) -> Report:
    record_sightings = sighting_recorder(
        pull.target.region, pull.target.day, "listing", lambda: {session.clinic.clinic_id: listing.ids}
    )

    def after(con: duckdb.DuckDBPyConnection) -> None:
        rows.after(con)
        record_sightings(con)

    return pull.commit(
        Load(
            table=PRODUCTS,
            lines=rows.lines,
            missing_among=EVERYTHING if listing.complete else None,
            unread=rows.unread,
            covers_events=listing.complete,
            after=after,
        ),
        total_count=listing.total_count,
    )


def _listed_products(pull: Pull, session: ClinicSession) -> CompletedRows:
    """Returns complete products. The details of incomplete rows are read every day: no other source has the prices."""
    return complete_from_details(
        pull,
        session,
        DetailSource(endpoint="product", table=PRODUCTS, arrays=("variants",), extra_check=is_complete_product),
        lambda: (without_custom_dosage(line)._replace(parent_id=None) for line in pull.file.lines("products")),
        may_change=lambda line: True,
        read_details=lambda: complete_products(pull, lambda variant: pull.land_object(session, "variant", variant)),
    )


def _pull_categories(target: Target, session: ClinicSession) -> tuple[Report, set[str]]:
    """Pulls a clinic's categories and the products in each. Returns the products whose rows are complete."""
    pull = Pull(replace(target, clinic=session.clinic), "categories")
    try:
        listing = pull.walk(session, "categories")
        categories = all_categories(list(pull.file.lines("categories")))
        walked = in_parallel(
            lambda category: pull.walk(session, "category_products", path={"category_id": category}).complete,
            [line.id for line in categories if not line.id.startswith(UNKEYED)],
        )
    except (ScopeError, NotFound, NeedsConnect) as refusal:
        return pull.record_refusal(str(refusal)), set()

    def shown_products() -> Mapping[str, list[str]]:
        return {session.clinic.clinic_id: [line.id for line in pull.file.lines("category_products")]}

    report = pull.commit(
        Load(table=CATEGORIES, lines=lambda: iter(categories), missing_among=EVERYTHING if listing.complete else None),
        Load(
            table=CATEGORY_PRODUCTS,
            lines=lambda: map(_membership, pull.file.lines("category_products")),
            missing_among=EVERYTHING if listing.complete and all(walked) else None,
        ),
        Load(
            table=PRODUCTS,
            lines=lambda: _complete_products_in(pull.file.lines("category_products")),
            after=sighting_recorder(target.region, target.day, "category", shown_products),
        ),
        total_count=listing.total_count,
    )
    return report, {line.id for line in _complete_products_in(pull.file.lines("category_products"))}


def _complete_products_in(lines: Iterator[Line]) -> Iterator[Line]:
    return (without_custom_dosage(line)._replace(parent_id=None) for line in lines if is_complete_product(line))


def all_categories(listed: Sequence[Line]) -> list[Line]:
    """Returns each category once, also those that are only nested in another; their record names the parent."""
    unfolded = [category for line in listed for category in _unfold(line, orjson.loads(line.record))]
    top = {line.id for line in listed}
    return list(
        {
            category.id: category
            for category in unfolded
            if category.id not in top or b'"parent_category_id"' not in category.record
        }.values()
    )


def _unfold(line: Line, record: dict[str, Any]) -> Iterator[Line]:
    children = [
        child for key in _NESTED for child in record.pop(key, None) or () if isinstance(child, dict) and child.get("id")
    ]
    text = canonical(record)
    yield line._replace(record=text, hash=content_hash(text))
    for child in children:
        yield from _unfold(
            line._replace(id=record_key(child["id"], line.hash)), {**child, "parent_category_id": line.id}
        )


def _membership(line: Line) -> Line:
    """Returns the membership of a product in a category, without the product's fields."""
    text = canonical({"id": line.id, "name": orjson.loads(line.record).get("name")})
    return line._replace(record=text, hash=content_hash(text))
