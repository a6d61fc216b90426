"""A region's catalog: reference lists, and products through whichever door is open.

The full product list is restricted: every connected clinic is asked until one may read it. The side door is each
clinic's categories, then by id the products known from before that no category showed. What the region lost is only
what every clinic that could be asked answers 404 for; what was not seen is unknown, never removed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.brands import pull_brands
from fullscript_pipeline.extraction.coverage import found
from fullscript_pipeline.extraction.pull import Load, Pull, Report, Target, in_parallel
from fullscript_pipeline.warehouse.catalog import (
    ALLERGENS,
    BRANDS,
    CATEGORIES,
    CATEGORY_PRODUCTS,
    INGREDIENTS,
    PRACTITIONER_TYPES,
    PRODUCTS,
    SUPPLEMENT_TYPES,
    THIRD_PARTY_CERTIFICATIONS,
)
from fullscript_pipeline.warehouse.landing import Line, canonical, content_hash
from fullscript_pipeline.warehouse.tables import Table

REFERENCE_LISTS: tuple[Table, ...] = (
    BRANDS,
    INGREDIENTS,
    ALLERGENS,
    SUPPLEMENT_TYPES,
    THIRD_PARTY_CERTIFICATIONS,
    PRACTITIONER_TYPES,
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
    refusal: Exception | None = None
    for session in sessions:
        try:
            listing = pull.walk(session, table.name)
        except (ScopeError, NotFound, NeedsConnect) as error:
            refusal = error
            continue
        return pull.commit(
            Load(table, pull.lines(table.name), missing_among="true" if listing.complete else None),
            total_count=listing.total_count,
        )
    return _refused(pull, refusal)


def pull_products(target: Target, sessions: Sequence[ClinicSession]) -> list[Report]:
    """The restricted list where it is granted; else every clinic's categories, then by id what they did not show."""
    granted = _pull_full_list(target, sessions)
    if granted.outcome == "loaded":
        return [granted, *(_pull_categories(target, session)[0] for session in sessions)]
    by_clinic = [_pull_categories(target, session) for session in sessions]
    read = {product for _, products in by_clinic for product in products}
    return [*(report for report, _ in by_clinic), _pull_by_id(target, sessions, read)]


def _pull_full_list(target: Target, sessions: Sequence[ClinicSession]) -> Report:
    """GET /catalog/products with each clinic until one is allowed."""
    pull = Pull(target, "products")
    refusal: Exception | None = None
    for session in sessions:
        try:
            listing = pull.walk(session, "products")
        except (ScopeError, NotFound, NeedsConnect) as error:
            refusal = error
            continue
        return pull.commit(
            Load(
                PRODUCTS,
                lambda: _whole(pull.file.lines("products")),
                "true" if listing.complete else None,
                after=found(target.region, target.day, "listing", _all_of(session, listing.ids)),
            ),
            total_count=listing.total_count,
        )
    return _refused(pull, refusal)


def _all_of(session: ClinicSession, products: Sequence[str]) -> Callable[[], dict[str, Sequence[str]]]:
    return lambda: {session.clinic.clinic_id: products}


def _pull_categories(target: Target, session: ClinicSession) -> tuple[Report, set[str]]:
    """A clinic's categories and the products in each. Returns the products that came whole."""
    pull = Pull(replace(target, clinic=session.clinic), "categories")
    try:
        listing = pull.walk(session, "categories")
        categories = [line.id for line in pull.file.lines("categories")]
        walked = in_parallel(
            lambda one: pull.walk(session, "category_products", path={"category_id": one}).complete, categories
        )
    except (ScopeError, NotFound, NeedsConnect) as refusal:
        return pull.not_available(str(refusal)), set()
    everything = "true" if listing.complete and all(walked) else None
    whole = {line.id for line in _whole(pull.file.lines("category_products"))}
    report = pull.commit(
        Load(CATEGORIES, pull.lines("categories"), missing_among="true" if listing.complete else None),
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


def _pull_by_id(target: Target, sessions: Sequence[ClinicSession], read: set[str]) -> Report:
    """Every product known of, that today's categories did not bring whole."""
    pull = Pull(target, "products_by_id")
    with target.warehouse.read() as con:
        rows = con.execute(
            """SELECT product_id FROM core.products WHERE region = $region AND removed_at IS NULL
            UNION SELECT product_id FROM core.category_products
            WHERE clinic_id IN $clinics AND removed_at IS NULL ORDER BY 1""",
            {"region": target.region, "clinics": [session.clinic.clinic_id for session in sessions]},
        ).fetchall()
    known = [product for (product,) in rows if product not in read]
    outcomes = in_parallel(lambda product: _from_any(pull, sessions, product), known)
    gone = [product for product, outcome in zip(known, outcomes, strict=True) if outcome == "gone"]
    by_clinic = {
        session.clinic.clinic_id: [
            one for one, by in zip(known, outcomes, strict=True) if by == session.clinic.clinic_id
        ]
        for session in sessions
    }
    return pull.commit(
        Load(
            PRODUCTS,
            lambda: map(shared, pull.file.lines("product")),
            gone=gone,
            after=found(target.region, target.day, "by_id", lambda: by_clinic),
        )
    )


def _from_any(pull: Pull, sessions: Sequence[ClinicSession], product: str) -> str:
    """The clinic that could read it, gone (every clinic that may look says 404) or unknown."""
    asked = False
    for session in sessions:
        try:
            if pull.one(session, "product", product):
                return session.clinic.clinic_id
            asked = True
        except (ScopeError, NeedsConnect):
            return "unknown"
    return "gone" if asked else "unknown"


def shared(line: Line) -> Line:
    """The product without what only the asking practitioner sees: their own dosage is no fact of the region."""
    if b'"custom_dosage"' not in line.record:
        return line
    record = orjson.loads(line.record)
    record.pop("custom_dosage", None)
    text = canonical(record)
    return line._replace(record=text, hash=content_hash(text), parent_id=None)


def _whole(lines: Iterator[Line]) -> Iterator[Line]:
    """Product rows that hold their variants; a thin row would look as if the product had lost them."""
    for line in lines:
        if b'"variants"' in line.record:
            yield shared(line)._replace(parent_id=None)


def _membership(line: Line) -> Line:
    """That a product is in a category, apart from what the product is like."""
    text = canonical({"id": line.id, "name": orjson.loads(line.record).get("name")})
    return line._replace(record=text, hash=content_hash(text))


def _refused(pull: Pull, refusal: Exception | None) -> Report:
    if isinstance(refusal, NeedsConnect):
        raise refusal
    return pull.not_available(str(refusal) if refusal else "No connected clinic of this region could be asked.")
