"""The Excel workbooks of catalog changes: a sheet per section, real dates and numbers, nothing that runs."""

from decimal import Decimal
from typing import Any

import pytest

from fullscript_pipeline.catalog import CatalogChange, Coverage, Digest, make_digest
from fullscript_pipeline.catalog.sections import SECTIONS
from fullscript_pipeline.reports.catalog_workbooks import COLUMNS, SHEETS, changes_workbook, digest_workbook
from fullscript_pipeline_tests.helpers.catalog_history import noon, nov
from fullscript_pipeline_tests.helpers.workbooks import read_sheets, read_tables, sentences

PRICE = CatalogChange(
    "ca", nov(22), "variant", "v1", "p1", "b1", "changed", "msrp", "20.00", "22.50", False, 7, "SKU1", "Zinc", "NWN"
)
GONE = PRICE._replace(entity="product", entity_id="p1", change="removed", field=None, old_value=None, new_value=None)


def digest(*rows: CatalogChange, **options: Any) -> Digest:
    return make_digest("ca", nov(21), nov(22), Coverage(products=100, variants=300, full_listing=True), rows, **options)


def test_each_section_has_a_sheet_with_names_first_and_typed_cells() -> None:
    book = digest_workbook(digest(PRICE, GONE._replace(product_id="p2", entity_id="p2")), noon(22))
    tables = read_tables(book)
    assert list(tables) == ["gone", "price rises", "about"]
    assert [cell.value for cell in read_sheets(book)["gone"][0].values()] == list(COLUMNS)
    (row,) = tables["price rises"]
    assert (row["brand"].value, row["product"].value, row["variant or object"].value) == ("NWN", "Zinc", "SKU1")
    assert [row[name].kind for name in ("old", "new", "difference", "difference %", "active plans")] == ["n"] * 5
    assert (Decimal(row["new"].value), row["currency"].value) == (Decimal("22.5"), "CAD")
    assert row["changed on"].day == nov(22)
    assert "Price rises: +17.50 CAD over active plans" in sentences(book)


def test_identifiers_stay_text_and_small_counts_are_hidden() -> None:
    upc = PRICE._replace(field="upc", old_value="0012", new_value="0013", active_plans=3)
    (row,) = read_tables(changes_workbook([upc], ["Why."], noon(22)))["label facts"]
    assert row["old"] == ("s", "0012")
    assert row["active plans"] == ("s", "under 5")
    assert "currency" not in row


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "@SUM(A1)", "|calc", "\t=1", "http://evil", "NaN", "1e999"])
def test_no_text_of_the_vendor_is_a_formula_a_link_or_a_number(text: str) -> None:
    row = PRICE._replace(old_value=text, product_name=text, brand_name=text, entity_name=text, entity_id=text)
    tables = read_tables(changes_workbook([row], [text], noon(22)))
    cells = next(iter(tables.values()))[0]
    assert {cells[name].kind for name in ("brand", "product", "old", "variant or object", "object id")} == {"s"}


def test_a_held_digest_lists_nothing_and_says_why() -> None:
    rows = [GONE._replace(entity_id=f"p{n}", product_id=f"p{n}") for n in range(60)]
    book = digest_workbook(digest(*rows), noon(22))
    assert list(read_sheets(book)) == ["about"]
    assert "Held: 60 of 160 products" in sentences(book)


def test_every_section_has_a_sheet_name_that_excel_takes() -> None:
    assert list(SHEETS) == [key for key, _ in SECTIONS]
    assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in SHEETS.values())
