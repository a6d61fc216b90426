"""Writes a page per brand: its recent changes, newest first, and its products.

What does not belong here: feeds (feeds.py), the digest of a day (digest.py), finding changes (the catalog room).
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter

import duckdb

from fullscript_pipeline.catalog import CatalogChange
from fullscript_pipeline.reports.catalog_words import brand_status, plans_words
from fullscript_pipeline.reports.change_rows import label_cells, row_of
from fullscript_pipeline.reports.field_words import change_words, field_words
from fullscript_pipeline.reports.product_pages import CatalogDay, product_files
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import render

DAYS = 90
ROWS = 200
_LIST = ", ".join(CatalogChange._fields)
# Days with a held digest are left out until the digest is released.
CHANGES_OF_BRANDS = """FROM marts.catalog_changes AS c
WHERE region = $region AND brand_id IS NOT NULL AND NOT cosmetic AND entity IN ('brand', 'product', 'variant')
    AND seen_on > $since AND seen_on <= $day AND NOT EXISTS (SELECT 1 FROM marts.catalog_digests AS d
        WHERE d.region = c.region AND d.day = c.seen_on AND d.held IS NOT NULL AND d.released_at IS NULL)"""
_RECENT = f"""SELECT {_LIST} {CHANGES_OF_BRANDS}
ORDER BY brand_id, changed_on DESC, product_name, entity, entity_name, entity_id, field NULLS FIRST"""
_BRANDS = """SELECT b.brand_id, coalesce(b.name, b.brand_id), b.status, b.removed_at IS NULL,
    count(p.product_id) FILTER (p.removed_at IS NULL)
FROM core.brands AS b LEFT JOIN core.products AS p ON p.region = b.region AND p.brand_id = b.brand_id
WHERE b.region = $region GROUP BY ALL ORDER BY 2"""
_OF_BRANDS = """SELECT brand_id, product_id, coalesce(name, product_id) FROM core.products
WHERE region = ? AND removed_at IS NULL AND brand_id IS NOT NULL ORDER BY brand_id, lower(name), product_id"""


def brand_ids(con: duckdb.DuckDBPyConnection, region: str) -> dict[str, set[str]]:
    """Brand ids, by id and by casefolded name, past names included."""
    known: dict[str, set[str]] = {}
    sql = "SELECT DISTINCT brand_id, name FROM history.brands WHERE region = ?"
    for ident, name in con.execute(sql, [region]).fetchall():
        known.setdefault(ident, set()).add(ident)
        known.setdefault((name or "").strip().casefold(), set()).add(ident)
    return known


def write_brand_pages(con: duckdb.DuckDBPyConnection, store: ReportStore, of: CatalogDay) -> None:
    """Write a page for every brand of the region: its recent changes, and its products."""
    region, day = of.region, of.day
    values = {"region": region, "since": day - timedelta(days=DAYS), "day": day}
    changes = (CatalogChange(*row) for row in con.execute(_RECENT, values).fetchall())
    recent = {ident: list(rows) for ident, rows in groupby(changes, key=lambda row: row.brand_id)}
    products = {brand_id: list(rows) for brand_id, rows in groupby(_products(con, store, region), key=itemgetter(0))}
    for ident, name, status, present, count in con.execute(_BRANDS, {"region": region}).fetchall():
        rows = recent.get(ident, [])
        html = render(
            "brand.html.j2",
            of.language,
            own_style=label_cells(of.language),
            region=region,
            name=name,
            status=status if present else "removed",
            count_of_products=count,
            products=products.get(ident, []),
            product_pages={
                product_id: f"products/{page}" for _, product_id, _, page in products.get(ident, []) if page
            },
            days=[(on, [row_of(row, of.language) for row in day_rows]) for on, day_rows in _by_day(rows[:ROWS])],
            hidden=max(0, len(rows) - ROWS),
            span=DAYS,
            as_of=day,
            rendered_text=of.rendered_text,
            feed=f"{file_id(ident)}.atom",
            change_words=change_words,
            brand_status=brand_status,
            currency=of.currency,
            plans_words=plans_words,
            field_words=field_words,
        )
        store.write(store.path_for_brand(region, ident), html)


def _products(
    con: duckdb.DuckDBPyConnection, store: ReportStore, region: str
) -> Iterator[tuple[str, str, str, str | None]]:
    """Brand, id, name, and file of the page if there is one, of every product that is there; by brand and name."""
    files = product_files(store, region)
    for brand_id, product_id, name in con.execute(_OF_BRANDS, [region]).fetchall():
        file = file_id(product_id)
        yield brand_id, product_id, name, f"{file}.html" if file in files else None


def _by_day(rows: Iterable[CatalogChange]) -> Iterable[tuple[date, list[CatalogChange]]]:
    return ((changed_on, list(day_rows)) for changed_on, day_rows in groupby(rows, key=lambda row: row.changed_on))
