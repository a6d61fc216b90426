"""What the catalog means for the clinic's patients: products of their plans that cannot be had, or that changed lately.

What does not belong here: finding changes (the catalog room), the page (`list_pages`), counts for other readers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb

from fullscript_pipeline.catalog import CatalogChange, Shortage, fold_changes, shortage_reason
from fullscript_pipeline.reports.change_rows import Row, row_of
from fullscript_pipeline.reports.clinic_pages.roster import JudgedProduct, RosterPatient
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import PageClinic
from fullscript_pipeline.reports.row_reading import sql_text
from fullscript_pipeline.reports.store import file_id

DAYS = 30
_MOST_SIMILAR = 3
# A page says once that a product cannot be had.
_STOCK_FIELDS = frozenset({"availability", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductNews:
    """A product, the patients whose plan has it, and why it cannot be had or what changed.

    `similar`: what could take its place.
    """

    product_id: str
    name: str | None
    brand: str | None
    patients: Sequence[RosterPatient]
    shortage: Shortage | None = None
    changes: Sequence[Row] = ()
    similar: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """The id of its row in the page."""
        return f"product-{file_id(self.product_id)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogNews:
    """`unavailable`: what cannot be had, most patients first; `changed`: what else changed in the last DAYS days."""

    unavailable: Sequence[ProductNews]
    changed: Sequence[ProductNews]


@dataclass(slots=True, kw_only=True)
class _Planned:
    """A product in the plans of patients; `short`: those whose recommended pack cannot be had."""

    name: str | None
    brand: str | None
    variant_ids: set[str] = field(default_factory=set)
    patients: dict[str, RosterPatient] = field(default_factory=dict)
    short: dict[str, RosterPatient] = field(default_factory=dict)
    shortages: list[Shortage] = field(default_factory=list)


def load_catalog_news(
    con: duckdb.DuckDBPyConnection, roster: Iterable[RosterPatient], context: PageContext
) -> CatalogNews:
    """The news of the context's day on products that active patients have in a plan."""
    planned = _planned_products(roster)
    changes = _changes_by_product(con, planned, context)
    lacking = [product_id for product_id, product in planned.items() if product.shortages]
    similar = _load_similar_products(con, context.clinic, lacking)
    unavailable = [
        ProductNews(
            product_id=product_id,
            name=product.name,
            brand=product.brand,
            shortage=_mildest(product.shortages),
            patients=list(product.short.values()),
            similar=similar.get(product_id, [])[:_MOST_SIMILAR],
        )
        for product_id, product in planned.items()
        if product.shortages
    ]
    changed = [
        ProductNews(
            product_id=product_id,
            name=planned[product_id].name,
            brand=planned[product_id].brand,
            patients=list(planned[product_id].patients.values()),
            changes=rows,
        )
        for product_id, rows in changes.items()
    ]
    return CatalogNews(unavailable=sorted(unavailable, key=_most_patients), changed=sorted(changed, key=_most_patients))


def _planned_products(roster: Iterable[RosterPatient]) -> dict[str, _Planned]:
    """The products of plans that run, by id."""
    planned: dict[str, _Planned] = {}
    for patient in roster:
        for product in patient.products if not patient.archived else ():
            if product.verdict.key != "stopped":
                _add(planned, patient, product)
    return planned


def _add(planned: dict[str, _Planned], patient: RosterPatient, product: JudgedProduct) -> None:
    found = planned.setdefault(
        product.row.product_id, _Planned(name=product.row.product_name, brand=product.row.brand_name)
    )
    found.variant_ids |= set(product.row.variant_ids)
    found.patients[patient.patient_id] = patient
    if product.shortage:
        found.short[patient.patient_id] = patient
        found.shortages.append(product.shortage)


def _changes_by_product(
    con: duckdb.DuckDBPyConnection, planned: Mapping[str, _Planned], context: PageContext
) -> dict[str, list[Row]]:
    """The changes of products, and of the variants in plans, newest first."""
    since = context.as_of - timedelta(days=DAYS)
    rows = _load_catalog_changes(con, context.clinic.region, product_ids=planned, since=since, day=context.as_of)
    found: dict[str, list[Row]] = {}
    for change in _each_once(rows):
        product = planned[change.product_id or ""]
        is_ours = change.entity == "product" or change.entity_id in product.variant_ids
        is_said = product.shortages and (change.field in _STOCK_FIELDS or change.change == "removed")
        if is_ours and not is_said:
            found.setdefault(change.product_id or "", []).append(row_of(change, context.language))
    return found


def _each_once(rows: Sequence[CatalogChange]) -> Iterable[CatalogChange]:
    """Leaves out, day by day, what another change of that day says."""
    by_day: dict[date, list[CatalogChange]] = {}
    for row in rows:
        by_day.setdefault(row.changed_on, []).append(row)
    for day in sorted(by_day, reverse=True):
        yield from fold_changes(by_day[day])[0]


def _mildest(shortages: Collection[Shortage]) -> Shortage:
    """What is out of stock may come back; what is gone does not."""
    return min(shortages, key=lambda shortage: ("out", "discontinued", "gone").index(shortage.reason))


def _most_patients(news: ProductNews) -> tuple[int, str]:
    return -len(news.patients), (news.name or "").casefold()


def _load_catalog_changes(
    con: duckdb.DuckDBPyConnection, region: str, *, product_ids: Collection[str], since: date, day: date
) -> list[CatalogChange]:
    """What was seen to change on these products and their variants after `since`, until `day`; no rewritings."""
    values = {"region": region, "ids": sorted(product_ids), "since": since, "day": day}
    return [CatalogChange(*row) for row in con.execute(sql_text("clinic_catalog_changes.sql"), values).fetchall()]


def _load_similar_products(
    con: duckdb.DuckDBPyConnection, clinic: PageClinic, product_ids: Collection[str]
) -> dict[str, list[str]]:
    """For each product the names of products that could take its place and can be had, the nearest first."""
    if not product_ids:
        return {}
    values = {"region": clinic.region, "clinic": clinic.clinic_id, "ids": sorted(product_ids)}
    similar: dict[str, list[str]] = {}
    for product_id, name, brand, states in con.execute(sql_text("clinic_similar.sql"), values).fetchall():
        label = " – ".join(part for part in (name, brand) if part)
        can_be_had = any(shortage_reason(state["status"], state["availability"]) is None for state in states)
        if label and can_be_had and label not in similar.setdefault(product_id, []):
            similar[product_id].append(label)
    return similar
