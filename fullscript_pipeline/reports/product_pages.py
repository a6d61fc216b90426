"""Writes the pages of products that changed: every change, prices, availability and plans over time.

A page is written again only when its product changed since the page was made. What does not belong here: the drawing
(`product_chart`), the list of all products (`catalog_index`), finding changes (the catalog room).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog import ProductHistory, load_product_histories
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports.catalog_numbers import value_words
from fullscript_pipeline.reports.change_rows import row_of
from fullscript_pipeline.reports.field_words import change_words
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.product_chart import MOST_VARIANTS, draw_life, draw_plans
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import render

# Each batch scans the history once.
_BATCH = 1000
_MOST_ROWS = 400
_CHANGED = """SELECT product_id, bool_or(seen_on > $since AND seen_on <= $day) FROM marts.catalog_changes AS c
WHERE region = $region AND product_id IS NOT NULL AND NOT cosmetic AND entity IN ('product', 'variant')
    AND seen_on <= $day AND NOT EXISTS (SELECT 1 FROM marts.catalog_digests AS d
        WHERE d.region = c.region AND d.day = c.seen_on AND d.held IS NOT NULL AND d.released_at IS NULL)
GROUP BY product_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDay:
    """The day of a region's catalog that pages are written for, and what all of them say. `since`: the day before."""

    region: str
    since: date
    day: date
    time_zone: ZoneInfo
    rendered_text: str
    language: PageLanguage

    @property
    def currency(self) -> str:
        """The currency of the region's prices, as ISO 4217 writes it."""
        return REGIONS[self.region].currency


def write_product_pages(con: duckdb.DuckDBPyConnection, store: ReportStore, of: CatalogDay) -> int:
    """Writes the pages of products that changed after `of.since`, and those that are missing. Returns how many."""
    values = {"region": of.region, "since": of.since, "day": of.day}
    changed = con.execute(_CHANGED, values).fetchall()
    existing = product_files(store, of.region)
    due = [product_id for product_id, is_new in changed if is_new or file_id(product_id) not in existing]
    brands = brand_files(store, of.region)
    # The page of this day is written after them.
    digest_days = {day.isoformat() for day in (*store.digest_days(of.region), of.day)}
    for histories in _batches(con, sorted(due), of):
        for history in histories:
            html = _render(history, of, digest_days, brands)
            store.write(store.path_for_product(of.region, history.product_id), html)
    return len(due)


def product_files(store: ReportStore, region: str) -> Collection[str]:
    """The file names, without suffix, of the products that have a page."""
    return {path.stem for path in store.in_folder(store.path_for_product(region, "any").parent)}


def brand_files(store: ReportStore, region: str) -> Collection[str]:
    """The file names, without suffix, of the brands that have a page."""
    return {path.stem for path in store.in_folder(store.path_for_brand(region, "any").parent)}


def _batches(
    con: duckdb.DuckDBPyConnection, product_ids: Sequence[str], of: CatalogDay
) -> Iterator[list[ProductHistory]]:
    for start in range(0, len(product_ids), _BATCH):
        ids = product_ids[start : start + _BATCH]
        yield load_product_histories(con, of.region, ids, of.time_zone.key, plans_until=of.day)


def _render(history: ProductHistory, of: CatalogDay, digest_days: Collection[str], brands: Collection[str]) -> str:
    events = [event for event in history.events if not event.cosmetic and event.changed_on <= of.day]
    names = [event.old_value for event in events if event.entity == "product" and event.field == "name"]
    brand = file_id(history.brand_id) if history.brand_id else None
    return render(
        "product.html.j2",
        of.language,
        history=history,
        life=draw_life(history, of.day, of.language, of.currency),
        plans=draw_plans(history.plans, of.language),
        rows=[row_of(event, of.language) for event in reversed(events)][:_MOST_ROWS],
        hidden=max(0, len(events) - _MOST_ROWS),
        former_names=[name for name in dict.fromkeys(names) if name and name != history.name],
        rewritings=sum(event.cosmetic for event in history.events),
        most_variants=MOST_VARIANTS,
        brand_page=f"../brands/{brand}.html" if brand in brands else None,
        digest_days=digest_days,
        change_words=change_words,
        value_words=value_words,
        currency=of.currency,
        as_of=of.day,
        rendered_text=of.rendered_text,
    )
