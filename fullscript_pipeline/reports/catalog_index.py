"""Writes the lists to find things by: the brands and the products of a region, and the days with their counts.

The search of a list needs no server; without a script the lists are pages from A to Z. What does not belong here: the
page of one product (`product_pages`) or brand (`brands`), a day's digest (`digest_page`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import duckdb
from markupsafe import Markup

from fullscript_pipeline.catalog import SECTIONS, Digest, shortage_reason
from fullscript_pipeline.reports import brands, formatting
from fullscript_pipeline.reports.catalog_numbers import price_words
from fullscript_pipeline.reports.catalog_words import brand_status, section_words
from fullscript_pipeline.reports.language import translatable
from fullscript_pipeline.reports.product_pages import CatalogDay, product_files
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import page_script, render
from fullscript_pipeline.typed_rows import typed_row

PER_PAGE = 1000
# Whether a product can be had, by `shortage_reason` or `gone`.
_STATES = {
    "out": translatable("Out of stock"),
    "discontinued": translatable("Discontinued"),
    "gone": translatable("Gone"),
    None: translatable("In stock"),
}
_PRODUCTS = """SELECT p.product_id, coalesce(p.name, p.product_id), coalesce(b.name, ''), p.removed_at IS NOT NULL,
    min(v.msrp), max(v.msrp), list(DISTINCT [v.status, v.availability]) FILTER (v.variant_id IS NOT NULL)
FROM core.products AS p
LEFT JOIN core.brands AS b ON b.region = p.region AND b.brand_id = p.brand_id
LEFT JOIN core.variants AS v ON v.region = p.region AND v.product_id = p.product_id AND v.removed_at IS NULL
WHERE p.region = $region GROUP BY p.product_id, p.name, b.name, p.removed_at ORDER BY lower(p.name), p.product_id"""
_BRANDS = f"""SELECT b.brand_id, coalesce(b.name, b.brand_id),
    CASE WHEN b.removed_at IS NULL THEN b.status ELSE 'gone' END,
    (SELECT count(*) FROM core.products AS p
        WHERE p.region = b.region AND p.brand_id = b.brand_id AND p.removed_at IS NULL),
    (SELECT count(*) {brands.CHANGES_OF_BRANDS} AND c.brand_id = b.brand_id)
FROM core.brands AS b WHERE b.region = $region ORDER BY lower(b.name), b.brand_id"""  # noqa: S608 -- made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBrand:
    """A brand in the list: `changes`: of the days that its page shows."""

    file: str
    name: str
    status: str | None
    products: int
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProduct:
    """A product in the list. `page`: its page, if it has one; `number`: its place among all products."""

    number: int
    name: str
    page: str | None
    brand: str
    brand_number: int
    price: str
    state: str

    @property
    def letter(self) -> str:
        first = self.name[:1].upper()
        return first if "A" <= first <= "Z" else "#"


def write_catalog_index(
    con: duckdb.DuckDBPyConnection, store: ReportStore, of: CatalogDay, *, changes_until: date
) -> None:
    """Writes the lists of brands and of products of the region; changes are counted until a day, as brand pages do."""
    values = {"region": of.region, "since": of.day - timedelta(days=brands.DAYS), "day": changes_until}
    rows = con.execute(_BRANDS, values).fetchall()
    listed = [typed_row(ListedBrand, (file_id(brand_id), *row)) for brand_id, *row in rows]
    store.write(
        store.path_for_catalog_list(of.region, "brands"),
        render(
            "brands.html.j2",
            of.language,
            region=of.region,
            brands=listed,
            brand_status=brand_status,
            span=brands.DAYS,
            as_of=of.day,
            rendered_text=of.rendered_text,
            script=page_script(),
        ),
    )
    products, names = _listed_products(con, store, of)
    folder = store.path_for_catalog_list(of.region, "products").parent
    for name, html in _product_pages(products, names, of):
        store.write(folder / name, html)


def _listed_products(
    con: duckdb.DuckDBPyConnection, store: ReportStore, of: CatalogDay
) -> tuple[list[ListedProduct], list[str]]:
    """The products from A to Z, and the names of their brands."""
    rows = con.execute(_PRODUCTS, {"region": of.region}).fetchall()
    names = sorted({row[2] for row in rows}, key=str.casefold)
    numbers = {name: place for place, name in enumerate(names)}
    files = product_files(store, of.region)
    products = []
    for number, (product_id, name, brand, is_gone, low, high, states) in enumerate(rows):
        reasons = [shortage_reason(*state) for state in states or []]
        reason = "gone" if is_gone else min(reasons, key=lambda one: one is not None, default=None)
        price = "" if low is None else price_words(low, high, of.language)
        file = file_id(product_id)
        products.append(
            ListedProduct(
                number=number,
                name=name,
                page=f"products/{file}.html" if file in files else None,
                brand=brand,
                brand_number=numbers[brand],
                price=price,
                state=of.language.gettext(_STATES[reason]),
            )
        )
    return products, names


def _product_pages(
    products: Sequence[ListedProduct], brand_names: Sequence[str], of: CatalogDay
) -> Iterator[tuple[str, str]]:
    pages = max(1, -(-len(products) // PER_PAGE))
    first_pages: dict[str, int] = {}
    for product in products:
        first_pages.setdefault(product.letter, product.number // PER_PAGE + 1)
    for page in range(1, pages + 1):
        rows = products[(page - 1) * PER_PAGE : page * PER_PAGE]
        before = products[rows[0].number - 1].letter if rows and rows[0].number else None
        html = render(
            "products.html.j2",
            of.language,
            region=of.region,
            rows=rows,
            letters=[
                (letter, letter != before, list(of_letter))
                for letter, of_letter in groupby(rows, key=lambda row: row.letter)
            ],
            first_pages=first_pages,
            brands=brand_names,
            currency=of.currency,
            others=_names_elsewhere(products[PER_PAGE:]) if page == 1 else None,
            total=len(products),
            as_of=of.day,
            rendered_text=of.rendered_text,
            page=page,
            pages=pages,
            file_of=_file_of,
            script=page_script(),
        )
        yield _file_of(page), html


def _file_of(page: int) -> str:
    return "products.html" if page == 1 else f"products-page-{page}.html"


def _names_elsewhere(products: Sequence[ListedProduct]) -> Markup | None:
    """The products of further pages for the search of the first one, as JSON: [name, address, number of the brand]."""
    if not products:
        return None
    rows = [
        (
            formatting.clean(product.name),
            f"{_file_of(product.number // PER_PAGE + 1)}#p{product.number}",
            str(product.brand_number),
        )
        for product in products
    ]
    # No text of it can end the element that it is in.
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 -- JSON in an element that is not HTML


def write_day_list(store: ReportStore, digest: Digest, of: CatalogDay) -> None:
    """Writes the list of days with the counts of each section; those of earlier days are in `days.json` beside it."""
    path = store.path_for_catalog_list(of.region, "days", "json")
    known: dict[str, Mapping[str, int] | None] = json.loads(store.stored(path) or b"{}")
    known[digest.to_day.isoformat()] = None if digest.held else digest.counts
    days = store.digest_days(of.region)
    kept = {day.isoformat(): known[day.isoformat()] for day in days if day.isoformat() in known}
    store.write(path, json.dumps(kept, indent=1) + "\n")
    html = render(
        "digests.html.j2",
        of.language,
        region=of.region,
        days=[(day, day.isoformat() in kept, kept.get(day.isoformat())) for day in days],
        section_feeds=SECTIONS,
        section_words=section_words,
        rendered_text=of.rendered_text,
    )
    store.write(store.path_for_digest(of.region), html)
