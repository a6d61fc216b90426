"""Every format of a digest says the same: page, CSV, JSON Lines, workbook, terminal and the list of days.

The catalog is the sandbox's own, lived day by day, so that every kind of change occurs. What does not belong here: the
change table against the script (`catalog/test_against_the_script`).
"""

import csv
import io
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.catalog import SECTIONS, build_catalog_changes, format_table
from fullscript_pipeline.reports import ReportStore, digest_page, write_catalog_digest
from fullscript_pipeline.reports.catalog_workbooks import SHEETS
from fullscript_pipeline.reports.field_words import field_words
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.sandbox.day_simulator import make_world, simulate_until
from fullscript_pipeline.sandbox.world import Catalog
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, observe, warehouse
from fullscript_pipeline_tests.helpers.sandbox_server import START
from fullscript_pipeline_tests.helpers.workbooks import read_tables

DAYS = 12
TITLES = dict(SECTIONS)
PROSE = {"description_html", "dosage.additional_info"}
Fact = tuple[str, ...]


class Rows(HTMLParser):
    """The cells of the rows of a page of changes, each with its section."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.section, self.cell = "", ""
        self.rows: list[dict[str, Any]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "section":
            self.section = values["id"] or ""
        if tag == "tr":
            self.rows.append({"section": self.section, "is_row": "data-b" in values})
        if tag in {"td", "th"}:
            self.cell = values.get("class") or ("product" if tag == "th" else "prose")
            self.rows[-1][self.cell] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.cell = ""

    def handle_data(self, data: str) -> None:
        if self.cell:
            self.rows[-1][self.cell] += data


def noon_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def as_read(value: object) -> str:
    """A value in one way of writing: numbers without trailing zeros, text as a page shortens it."""
    text = " ".join(str(value or "(none)").split())
    try:
        return f"{Decimal(text).normalize():f}"
    except InvalidOperation:
        return text if len(text) <= 200 else text[:199].rstrip() + "…"


def of_page(paths: list[Path]) -> list[Fact]:
    rows = [row for path in paths for row in Rows(path.read_text(encoding="utf-8")).rows if row["is_row"]]
    facts = []
    for row in rows:
        day = datetime.strptime(row["t"], "%d %b %Y").date().isoformat()  # noqa: DTZ007 -- a day
        what = row["f"].partition(" with ")[0].partition(";")[0] if "o" not in row else row["f"]
        values = (as_read(row["o"]), as_read(row["w"])) if "o" in row else ("", "")
        facts.append((row["section"], day, row["b"], row["product"].strip(), what, *values, row["n"]))
    return sorted(facts)


def of_cells(section: str, row: dict[str, Any]) -> Fact:
    """The same of a row with the CSV file's names."""
    is_value = bool(row["field"]) and row["field"] not in PROSE
    values = (as_read(row["old_value"]), as_read(row["new_value"])) if is_value else ("", "")
    name = row["product_name"] if row["entity"] in {"product", "variant"} else row["entity_name"]
    what = field_words(row["field"] or f"{row['entity']} {row['change']}", ENGLISH)
    plans = str(row["active_plans"])
    return section, str(row["changed_on"]), row["brand_name"] or "", name or row["entity_id"], what, *values, plans


def of_workbook(content: bytes) -> list[Fact]:
    keys = {sheet: key for key, sheet in SHEETS.items()}
    names = {"brand": "brand_name", "product": "product_name", "variant or object": "entity_name", "old": "old_value",
             "new": "new_value", "kind": "entity", "object id": "entity_id", "active plans": "active_plans",
             "change": "change", "field": "field"}  # fmt: skip
    facts = []
    for sheet, rows in read_tables(content).items():
        for row in rows if sheet in keys else []:
            values: dict[str, Any] = {
                name: row[column].value if column in row else None for column, name in names.items()
            }
            facts.append(of_cells(keys[sheet], values | {"changed_on": row["changed on"].day}))
    return sorted(facts)


def as_observed(catalog: Catalog) -> dict[str, dict[str, dict[str, Any]]]:
    """The sandbox's catalog as tables."""
    products, variants = {}, {}
    for product in catalog.products.values():
        dosage = {f"dosage_{name}": value for name, value in product["dosage"].items()}
        products[product["id"]] = {
            "name": product["name"],
            "brand_id": product["brand"]["id"],
            "description_html": product["description_html"],
            **dosage,
        }
        for variant in product["variants"]:
            names = ("sku", "units", "unit_of_measure", "availability", "status", "upc", "supplier_sku")
            variants[variant["id"]] = {
                **{name: variant[name] for name in names},
                "product_id": product["id"],
                "is_primary": variant["primary"],
                "units_raw": str(variant["units"]),
                "msrp_raw": str(variant["msrp"]),
            }
    brands = {key: {name: row[name] for name in ("name", "prefix", "status")} for key, row in
              catalog.vocabularies["brands"].items()}  # fmt: skip
    return {"brands": brands, "products": products, "variants": variants}


@pytest.mark.check_all
@pytest.mark.timeout(300)
@pytest.mark.parametrize("one_page", [digest_page.ONE_PAGE, 10])
def test_every_format_lists_the_same_changes(
    store: ReportStore, monkeypatch: pytest.MonkeyPatch, one_page: int
) -> None:
    monkeypatch.setattr(digest_page, "ONE_PAGE", one_page)
    monkeypatch.setattr(digest_page, "FIRST", 2)
    world = make_world(1, START, clinics=3, patients=6, products=40, history_days=20)
    con = warehouse()
    first: date = world.day
    for number in range(DAYS):
        observe(con, as_observed(world.catalogs["us"]), noon_of(first + timedelta(days=number)))
        if number < DAYS - 1:
            simulate_until(world, world.day + timedelta(days=1))
    con.execute("INSERT INTO core.clinics VALUES ('c1', 'k1', 'us')")
    con.execute(
        """INSERT INTO core.treatment_plans SELECT 'c1', 't' || i, 'active', NULL FROM range(9) AS t(i);
        INSERT INTO core.recommendations SELECT 'c1', 't' || i, 0, variant_id, NULL
        FROM core.variants, range(9) AS t(i) WHERE i < hash(variant_id) % 9"""
    )
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    written = write_catalog_digest(
        con, store, region="us", from_day=first, to_day=world.day, rendered_at=noon_of(world.day), time_zone=UTC_ZONE,
        release=True,
    )  # fmt: skip
    path, day = written.path, world.day.isoformat()
    table = list(csv.DictReader(io.StringIO(path.with_suffix(".csv").read_text("utf-8-sig"), newline="")))
    keys = {title: key for key, title in SECTIONS}
    facts = sorted(of_cells(keys[row["section"]], row) for row in table)
    assert len(facts) > 40
    assert len({fact[0] for fact in facts}) >= 6
    assert {"under 5"} < {fact[-1] for fact in facts}
    further = sorted(path.parent.glob(f"{day}-*.html"))
    paged = {name.stem.removeprefix(f"{day}-").rpartition("-")[0] for name in further}
    assert bool(paged) == (one_page == 10)
    on_first = [fact for fact in of_page([path]) if fact[0] not in paged]
    assert sorted(on_first + of_page(further)) == facts
    assert of_workbook(path.with_suffix(".xlsx").read_bytes()) == facts
    lines = [json.loads(line) for line in path.with_suffix(".v1.jsonl").read_text().splitlines()]
    assert [(line["entity_id"], line["field"] or "", line["old_value"] or "", line["new_value"] or "",
             "under 5" if line["active_plans"] is None else str(line["active_plans"])) for line in lines] == [
        (row["entity_id"], row["field"], row["old_value"], row["new_value"], row["active_plans"]) for row in table
    ]  # fmt: skip
    counts = json.loads(path.with_name("days.json").read_text())[day]
    terminal = format_table(written.digest)
    for key, number in Counter(fact[0] for fact in facts).items():
        assert counts[key] == number or key == "facts", key
        assert f"{TITLES[key]}: {counts[key]:,}" in terminal
    con.close()
