"""Digest contents and their text forms: sections, held digests, JSON Lines, CSV, the 40-line table."""

import csv
import io
import json
from datetime import date
from typing import Any

import duckdb
import pytest

from fullscript_pipeline.catalog import (
    CatalogChange,
    Coverage,
    delta_text,
    digest_between,
    format_table,
    make_digest,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.catalog.sections import SECTIONS, is_alarming, section_of
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse

COVERAGE = Coverage(products=4112, variants=9000, full_listing=False)


def change(**values: Any) -> CatalogChange:
    """A price change, unless `values` say otherwise."""
    usual = CatalogChange(
        "us", nov(22), "variant", "v1", "p1", "b1", "changed", "msrp", "20.00", "22.50", False, 7, None, "Zinc", "NWN"
    )
    return usual._replace(**values)


def digest(*rows: CatalogChange, coverage: Coverage = COVERAGE, release: bool = False) -> Any:
    return make_digest("us", nov(21), nov(22), coverage, rows, release=release)


GONE = {"entity": "product", "change": "removed", "field": None, "old_value": None, "new_value": None}


@pytest.mark.parametrize(
    ("values", "section"),
    [
        ({}, "price_up"),
        ({"new_value": "19.99"}, "price_down"),
        ({"new_value": None}, "facts"),
        ({"field": "availability"}, "stock"),
        ({"field": "status", "new_value": "discontinued"}, "discontinued"),
        ({"field": "status", "new_value": "unavailable"}, "stock"),
        ({"field": "status", "new_value": "under_review"}, "facts"),
        ({"field": "status", "new_value": "Available"}, "stock"),
        ({"field": "units"}, "variants"),
        ({"field": None, "change": "removed"}, "variants"),
        (GONE, "removed"),
        (GONE | {"change": "added"}, "new"),
        (GONE | {"change": "returned", "entity": "brand"}, "new"),
        ({"entity": "product", "field": "dosage.format"}, "facts"),
        ({"entity": "product", "field": "description_html"}, "text"),
        ({"entity": "brand", "field": "name"}, "facts"),
    ],
)
def test_each_change_has_a_section(values: dict[str, Any], section: str) -> None:
    assert section_of(change(**values)) == section
    assert section in dict(SECTIONS)


def test_sections_put_most_plans_first_and_leave_cosmetics_out() -> None:
    made = digest(
        change(entity_id="few", active_plans=1), change(entity_id="many", active_plans=90), change(cosmetic=True)
    )
    assert [row.entity_id for row in made.rows] == ["many", "few"]
    assert made.counts["price_up"] == 2
    assert made.counts["cosmetic"] == 1


def test_variants_that_go_with_their_product_are_told_there() -> None:
    rows = [change(**GONE, entity_id="p1")] + [
        change(entity_id=f"v{n}", field=None, change="removed") for n in range(3)
    ]
    made = digest(*rows, change(entity_id="v9", product_id="p2", field=None, change="removed"))
    assert [row.entity_id for row in made.rows] == ["p1", "v9"]
    assert made.variants_with(made.rows[0]) == 3
    assert "removed with 3 variants" in format_table(made)


def test_prices_are_sorted_by_percent_and_summed_over_plans() -> None:
    made = digest(
        change(entity_id="small", active_plans=9, new_value="20.10"),
        change(entity_id="large", active_plans=6, new_value="30.00"),
        change(entity_id="down", active_plans=2, new_value="19.00"),
    )
    rises, falls = (section for section in made.sections if section.key.startswith("price"))
    assert [row.entity_id for row in rises.rows] == ["large", "small"]
    assert "Price rises: 2 (+60.90 USD over active plans, one unit each)" in format_table(made)
    assert [row.entity_id for row in falls.rows] == ["down"]


def test_each_change_is_listed_once() -> None:
    made = digest(
        change(**GONE, entity_id="p1"),
        change(field="status", new_value="discontinued"),
        change(entity_id="v2", product_id="p2", field="availability", new_value="Out of Stock"),
        change(entity_id="v2", product_id="p2", field="status", new_value="unavailable"),
        change(entity_id="v3", product_id="p3", field="availability", new_value="Out of Stock"),
        change(entity_id="v3", product_id="p3", field="status", new_value="discontinued"),
        change(entity_id="v4", product_id="p4", field="availability", new_value="In Stock"),
        change(entity_id="v4", product_id="p4", field="status", new_value="unavailable"),
    )
    assert [(row.entity_id, row.field) for row in made.rows] == [
        ("p1", None), ("v3", "status"), ("v2", "availability"), ("v4", "availability"), ("v4", "status"),
    ]  # fmt: skip


def test_the_facts_of_a_product_are_one_entry() -> None:
    fields = ("name", "dosage.format", "dosage.recommended_amount")
    rows = [change(entity="product", entity_id="p1", field=field) for field in fields]
    made = digest(*rows, change(entity="product", entity_id="p2", product_id="p2", field="name"))
    assert made.counts["facts"] == 2
    assert "name, dosage.format, dosage.recommended_amount" in format_table(made)
    assert len(made.rows) == 4


@pytest.mark.parametrize(
    ("values", "words", "alarms"),
    [
        (GONE, {"gone"}, True),
        ({"field": "status", "new_value": "discontinued"}, {"gone"}, True),
        ({"field": "status", "new_value": "discontinued"}, {"removed"}, False),
        ({"field": "status", "new_value": "unavailable"}, {"gone"}, True),
        ({"field": "status", "new_value": "under_review"}, {"gone"}, True),
        ({"field": "status", "new_value": "Available"}, {"gone"}, False),
        ({"field": "status", "new_value": "Available"}, {"availability"}, True),
        ({"field": "availability"}, {"availability"}, True),
        ({}, {"price"}, True),
        ({"new_value": None}, {"price"}, True),
        ({}, {"price_down"}, False),
        ({}, {"any"}, True),
        ({}, {"none"}, False),
    ],
)
def test_the_words_of_fail_on(values: dict[str, Any], words: set[str], alarms: bool) -> None:
    assert is_alarming(change(**values), words) is alarms


def test_a_code_that_many_products_have_points_nowhere() -> None:
    con = warehouse()
    world = small_world()
    for n in range(4):
        world["products"][f"px{n}"] = {"name": f"Zinc {n}", "brand_id": "b1"}
        world["variants"][f"vx{n}"] = {"product_id": f"px{n}", "sku": f"ZN-{n}", "upc": "N/A"}
    observe(con, world, noon(21))
    del world["products"]["px0"], world["variants"]["vx0"]
    observe(con, world, noon(22))
    assert not digest_between(con, "us", nov(21), nov(22), UTC_ZONE).successors
    con.close()


def test_a_product_made_anew_points_to_the_one_it_replaces_and_back() -> None:
    con = warehouse()
    world = small_world()
    world["products"]["px"] = {"name": "Old Zinc", "brand_id": "b1"}
    world["variants"]["vx"] = {"product_id": "px", "sku": "ZN-1", "upc": "777777777777"}
    observe(con, world, noon(21))
    del world["products"]["px"], world["variants"]["vx"]
    world["products"]["py"] = {"name": "New Zinc", "brand_id": "b1"}
    world["variants"]["vy"] = {"product_id": "py", "sku": "ZN-1", "upc": "777777777777"}
    observe(con, world, noon(22))
    made = digest_between(con, "us", nov(21), nov(22), UTC_ZONE)
    assert {key: tuple(other) for key, other in made.successors.items()} == {
        "px": ("py", "New Zinc", "SKU"), "py": ("px", "Old Zinc", "SKU"),
    }  # fmt: skip
    text = format_table(made)
    assert "removed with 1 variant; same SKU as py" in text
    assert "added with 1 variant; same SKU as px" in text
    con.close()


def test_a_mass_change_is_held_until_released() -> None:
    gone = [change(**GONE, entity_id=f"p{n}") for n in range(21)]
    small = Coverage(products=79, variants=1000, full_listing=True)
    held = digest(*gone, coverage=small)
    assert held.held is not None
    assert held.held.startswith("21 of 100 products (21 %) are gone at once.")
    assert held.held in format_table(held)
    assert digest(*gone, coverage=small, release=True).held is None
    assert digest(*gone[:20], coverage=Coverage(products=80, variants=1000, full_listing=True)).held is None
    grown = digest(*gone[:18], coverage=Coverage(products=165, variants=1000, full_listing=True, before=70))
    assert str(grown.held).startswith("18 of 70 products (25 %)"), "those that came hide none that went"
    prices = [change(entity_id=f"v{n}") for n in range(6)]
    assert digest(*prices, coverage=Coverage(products=100, variants=11, full_listing=True)).held is not None
    assert digest(*prices, coverage=Coverage(products=100, variants=12, full_listing=True)).held is None


def test_jsonl_has_exactly_the_contracts_columns() -> None:
    (line,) = to_jsonl([change(old_value='a"\n', new_value=None)])
    assert "\n" not in line
    assert json.loads(line) == {
        "region": "us",
        "changed_on": "2026-11-22",
        "entity": "variant",
        "entity_id": "v1",
        "product_id": "p1",
        "brand_id": "b1",
        "change": "changed",
        "field": "msrp",
        "old_value": 'a"\n',
        "new_value": None,
        "cosmetic": False,
        "active_plans": 7,
    }


@pytest.mark.parametrize("nasty", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|calc", "%x", "＝1", "\n=1"])
def test_csv_cells_are_never_formulas(nasty: str) -> None:
    text = to_csv([change(old_value=nasty, product_name=nasty, entity_id=nasty)])
    header, row = list(csv.reader(io.StringIO(text, newline="")))
    cells = dict(zip(header, row, strict=True))
    for name in ("old_value", "product_name", "entity_id"):
        assert cells[name] == f"'{nasty}"


def test_no_format_says_a_count_from_1_to_4() -> None:
    rows = [change(entity_id=f"v{number}", active_plans=number) for number in (0, 1, 4, 5)]
    found = [row["active_plans"] for row in csv.DictReader(io.StringIO(to_csv(rows), newline=""))]
    assert found == ["0", "under 5", "under 5", "5"]
    assert [json.loads(line)["active_plans"] for line in to_jsonl(rows)] == [0, None, None, 5]
    text = format_table(digest(*rows[1:]))
    assert text.count("[under 5 active plans]") == 2
    assert "(+12.50 USD over active plans" in text, "the sum is that of the 5 plans: it would say the other counts"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "+2.50 (+12.5 %)"),
        ({"old_value": "22.50", "new_value": "20.00"}, "-2.50 (-11.1 %)"),
        ({"old_value": "0", "new_value": "5"}, "+5"),
        ({"old_value": None}, None),
        ({"new_value": "N/A"}, None),
        ({"new_value": "NaN"}, None),
        ({"field": "upc", "old_value": "1", "new_value": "2"}, None),
    ],
)
def test_delta_is_told_for_numbers_only(values: dict[str, Any], told: str | None) -> None:
    assert delta_text(change(**values)) == told


def test_a_terminal_shows_at_most_40_lines_whatever_changed() -> None:
    kinds: list[dict[str, Any]] = [
        {},
        {"new_value": "19.00"},
        {"field": "availability"},
        {"field": "status"},
        GONE,
        {"field": "units"},
        GONE | {"change": "added"},
        {"entity": "product", "field": "name", "new_value": "x\x1b[31m" * 300},
        {"entity": "product", "field": "description_html", "new_value": "y " * 9000},
    ]
    rows = [change(**kind, entity_id=f"e{n}") for n in range(400) for kind in kinds]
    text = format_table(
        digest(*rows, change(cosmetic=True), coverage=Coverage(products=30_000, variants=90_000, full_listing=True))
    )
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 240
    assert "\x1b" not in text
    assert "Price rises: 400" in text


def test_no_changes_is_said() -> None:
    text = format_table(digest())
    assert text == (
        "Catalog changes, US, 21 → 22 Nov 2026, coverage 4,112 products seen (full listing not permitted to this app)\n"
        "No changes.\n"
    )


def test_coverage_is_read_from_history_and_pulls(con: duckdb.DuckDBPyConnection) -> None:
    world = small_world()
    observe(con, world, noon(21), listed=False)
    for number in range(3, 6):
        world["products"][f"p{number}"] = {"name": "Filler"}
    observe(con, world, noon(21, 13), listed=False)
    world["products"] = {"p1": world["products"]["p1"]}
    observe(con, world, noon(22), listed=False)
    assert digest_between(con, "us", nov(21), nov(22), UTC_ZONE, release=True).coverage == Coverage(
        products=1, variants=4, full_listing=None, before=5
    )
    con.execute("INSERT INTO ops.pulls (region, day, resource, outcome) VALUES ('us', ?, 'products', 'not_available')",
                [date(2026, 11, 21)])  # fmt: skip
    assert digest_between(con, "us", nov(21), nov(22), UTC_ZONE).coverage.full_listing is False
    con.execute("INSERT INTO ops.pulls (region, day, resource, outcome) VALUES ('us', ?, 'products', 'loaded')",
                [date(2026, 11, 22)])  # fmt: skip
    assert digest_between(con, "us", nov(21), nov(22), UTC_ZONE).coverage.full_listing is True
    assert digest_between(con, "us", nov(21), nov(22), UTC_ZONE).held is not None
