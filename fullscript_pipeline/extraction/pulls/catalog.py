"""A region's catalog: reference lists, and products through whichever door is open.

The full product list is restricted: every connected clinic is asked until one may read it. The side door is each
clinic's categories, then by id the products known from before that no category showed. What the region lost is only
what every connected clinic answers 404 for, twice, an hour apart; what was not seen is unknown, never removed.

What does not belong here: products known from before (`known_products`), product events (`product_events`), brands
(`brands`).
"""

from collections.abc import Iterator, Sequence
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
from fullscript_pipeline.extraction.pulls.catalog_coverage import found
from fullscript_pipeline.extraction.pulls.known_products import pull_known_products
from fullscript_pipeline.extraction.pulls.products import is_whole, shared, whole_products
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.brands import BRANDS
from fullscript_pipeline.resources.categories import CATEGORIES, CATEGORY_PRODUCTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import UNKEYED, Line, canonical, content_hash, record_key
from fullscript_pipeline.warehouse.loading import EVERYTHING

# Where a category may hold those below it.
_INNER = ("sub_categories", "subcategories", "children", "categories")

# The catalog's small lists, brands first.
REFERENCE_LISTS: tuple[Table, ...] = (
    BRANDS,
    *(
        resource.tables[0]
        for resource in ALL_RESOURCES
        if resource.partition == "region" and resource.listing == "whole list"
    ),
)


def pull_reference_lists(target: Target, sessions: Sequence[ClinicSession]) -> list[Report]:
    """Brands and the small lists."""
    return [
        *pull_brands(target, sessions),
        *(pull_reference_list(target, sessions, table) for table in REFERENCE_LISTS if table is not BRANDS),
    ]


def pull_reference_list(target: Target, sessions: Sequence[ClinicSession], table: Table) -> Report:
    """One small list, from the first clinic that may read it."""
    pull = Pull(target, table.name)
    refusals: list[Exception] = []
    for session in sessions:
        try:
            listing = pull.walk(session, table.name)
        except (ScopeError, NotFound, NeedsConnect) as error:
            refusals.append(error)
            continue
        return pull.commit(
            Load(table, pull.lines(table.name), missing_among=EVERYTHING if listing.complete else None),
            total_count=listing.total_count,
        )
    return record_refusal_by_all(pull, refusals)


def pull_products(target: Target, sessions: Sequence[ClinicSession], *, asks_everybody: bool = True) -> list[Report]:
    """The restricted list where it is granted; else every clinic's categories, then by id what they did not show.

    `asks_everybody`: the sessions are those of every connected clinic of the region; else nothing is found gone by id.
    """
    granted = _pull_full_list(target, sessions)
    if granted.outcome == "loaded":
        return [granted, *(_pull_categories(target, session)[0] for session in sessions)]
    by_clinic = [_pull_categories(target, session) for session in sessions]
    read = {product for _, products in by_clinic for product in products}
    return [
        *(report for report, _ in by_clinic),
        pull_known_products(target, sessions, read, asks_everybody=asks_everybody),
    ]


def _pull_full_list(target: Target, sessions: Sequence[ClinicSession]) -> Report:
    """GET /catalog/products with each clinic until one is allowed."""
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
    door = found(pull.target.region, pull.target.day, "listing", lambda: {session.clinic.clinic_id: listing.ids})

    def after(con: duckdb.DuckDBPyConnection) -> None:
        rows.after(con)
        door(con)

    return pull.commit(
        Load(
            PRODUCTS,
            rows.lines,
            EVERYTHING if listing.complete else None,
            unread=rows.unread,
            covers_events=listing.complete,
            after=after,
        ),
        total_count=listing.total_count,
    )


def _listed_products(pull: Pull, session: ClinicSession) -> CompletedRows:
    """Every listed product whole: of thin rows the detail, every day, as prices show nowhere else."""
    return complete_from_details(
        pull,
        session,
        DetailSource("product", PRODUCTS, ("variants",), is_whole),
        lambda: (shared(line)._replace(parent_id=None) for line in pull.file.lines("products")),
        may_change=lambda line: True,
        read_details=lambda: whole_products(pull, lambda variant: pull.one(session, "variant", variant)),
    )


def _pull_categories(target: Target, session: ClinicSession) -> tuple[Report, set[str]]:
    """A clinic's categories and the products in each. Returns the products that came whole."""
    pull = Pull(replace(target, clinic=session.clinic), "categories")
    try:
        listing = pull.walk(session, "categories")
        categories = all_categories(list(pull.file.lines("categories")))
        walked = in_parallel(
            lambda one: pull.walk(session, "category_products", path={"category_id": one}).complete,
            [line.id for line in categories if not line.id.startswith(UNKEYED)],
        )
    except (ScopeError, NotFound, NeedsConnect) as refusal:
        return pull.record_refusal(str(refusal)), set()
    everything = EVERYTHING if listing.complete and all(walked) else None
    whole = {line.id for line in _whole(pull.file.lines("category_products"))}
    report = pull.commit(
        Load(
            CATEGORIES,
            lambda: iter(categories),
            missing_among=EVERYTHING if listing.complete else None,
        ),
        Load(CATEGORY_PRODUCTS, lambda: map(_membership, pull.file.lines("category_products")), everything),
        Load(
            PRODUCTS,
            lambda: _whole(pull.file.lines("category_products")),
            after=found(
                target.region,
                target.day,
                "category",
                lambda: {session.clinic.clinic_id: [line.id for line in pull.file.lines("category_products")]},
            ),
        ),
        total_count=listing.total_count,
    )
    return report, whole


def _whole(lines: Iterator[Line]) -> Iterator[Line]:
    return (shared(line)._replace(parent_id=None) for line in lines if is_whole(line))


def all_categories(listed: Sequence[Line]) -> list[Line]:
    """Each category once, with those that are only listed inside another; their record says inside which."""
    every = [one for line in listed for one in _unfolded(line, orjson.loads(line.record))]
    top = {line.id for line in listed}
    return list(
        {one.id: one for one in every if one.id not in top or b'"parent_category_id"' not in one.record}.values()
    )


def _unfolded(line: Line, record: dict[str, Any]) -> Iterator[Line]:
    inner = [one for key in _INNER for one in record.pop(key, None) or () if isinstance(one, dict) and one.get("id")]
    text = canonical(record)
    yield line._replace(record=text, hash=content_hash(text))
    for one in inner:
        yield from _unfolded(line._replace(id=record_key(one["id"], line.hash)), {**one, "parent_category_id": line.id})


def _membership(line: Line) -> Line:
    """That a product is in a category, apart from what the product is like."""
    text = canonical({"id": line.id, "name": orjson.loads(line.record).get("name")})
    return line._replace(record=text, hash=content_hash(text))
