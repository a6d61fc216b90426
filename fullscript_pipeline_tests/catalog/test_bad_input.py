"""Catalogs nobody would invent: each gives a clear answer, and its pages are never markup of the vendor."""

import csv
import io
import json
import re
from typing import Any

import duckdb
import pytest

from fullscript_pipeline.catalog import (
    CatalogChange,
    changes_between,
    digest_between,
    find_products,
    format_table,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.reports import render_catalog_digest
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world

Connection = duckdb.DuckDBPyConnection
World = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture
def world(con: Connection) -> World:
    """A small catalog, observed on the 21st."""
    found = small_world()
    observe(con, found, noon(21))
    return found


def changed(con: Connection, world: World) -> list[CatalogChange]:
    """What the 22nd shows against the 21st."""
    observe(con, world, noon(22))
    return changes_between(con, "us", nov(21), nov(22), UTC_ZONE, include_cosmetic=True)


def page(con: Connection) -> str:
    digest = digest_between(con, "us", nov(21), nov(22), UTC_ZONE, release=True)
    return render_catalog_digest(digest, rendered_at=noon(22), time_zone=UTC_ZONE)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("19.99", "N/A", ("19.99", "N/A")),
        ("N/A", "19.99", ("N/A", "19.99")),
        ("19.99", None, ("19.99", None)),
        ("19.99", "1e400", ("19.99", "1e400")),
    ],
)
def test_a_price_that_is_none_is_told_as_it_is_written(
    con: Connection, world: World, old: str | None, new: str | None, told: tuple[str | None, str | None]
) -> None:
    price = world["variants"]["p1-60"]
    price |= {"msrp": None, "msrp_raw": old}
    observe(con, world, noon(21, 13))
    price["msrp_raw"] = new
    (row,) = changed(con, world)
    assert (row.field, row.old_value, row.new_value, row.cosmetic) == ("msrp", *told, False)
    assert "msrp" in format_table(digest_between(con, "us", nov(21), nov(22), UTC_ZONE, release=True))
    assert "Price (MSRP)" in page(con)


def test_a_product_with_200_variants_is_one_line_when_it_comes_and_200_when_each_moves(
    con: Connection, world: World
) -> None:
    usual = world["variants"]["p1-60"]
    world["products"]["p9"] = {"name": "Many sizes", "brand_id": "b1"}
    many = {f"p9-{n}": {**usual, "product_id": "p9", "sku": f"SKU9{n}", "is_primary": n == 0} for n in range(200)}
    world["variants"] |= many
    rows = changed(con, world)
    assert len(rows) == 201
    table = format_table(digest_between(con, "us", nov(21), nov(22), UTC_ZONE, release=True))
    assert "Many sizes: added with 200 variants" in table
    assert len(table.splitlines()) <= 40
    for variant in many:
        world["variants"][variant] = {**world["variants"][variant], "availability": "Out of Stock"}
    # Another order of the variants is no change.
    world["variants"] = dict(reversed(world["variants"].items()))
    observe(con, world, noon(23))
    moved = changes_between(con, "us", nov(22), nov(23), UTC_ZONE)
    assert {(row.entity, row.field) for row in moved} == {("variant", "availability")}
    assert len({row.entity_id for row in moved}) == len(moved) == 200


def test_one_sku_on_two_variants_is_two_lives(con: Connection, world: World) -> None:
    for variant in ("p1-60", "p1-120", "p2-60"):
        world["variants"][variant]["sku"] = "TWIN"
    rows = changed(con, world)
    assert sorted(row.entity_id for row in rows) == ["p1-120", "p1-60", "p2-60"]
    assert [match.product_id for match in find_products(con, "TWIN")] == ["p1", "p2"]
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    observe(con, world, noon(23))
    (row,) = changes_between(con, "us", nov(22), nov(23), UTC_ZONE)
    assert (row.entity_id, row.field) == ("p1-60", "msrp")


def test_scripts_and_200_kb_of_markup_stay_text_and_small(con: Connection, world: World) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    text = evil + "<p>" + "how it is made, in very many words " * 6_000 + "</p>"
    world["products"]["p1"] |= {"description_html": text, "name": f"{evil}=HYPERLINK(1)"}
    rows = changed(con, world)
    assert {row.field for row in rows} == {"name", "description_html"}
    assert len(text) > 200_000
    html = page(con)
    assert not re.search(r"<(script|img)\b", html.replace("<script>(() => {", "", 1)), "only our own script"
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", html)
    assert len(html) < 60_000
    found = list(csv.DictReader(io.StringIO(to_csv(rows).removeprefix("\ufeff"))))
    assert max(len(row["new_value"]) for row in found) == 32_000, "what a spreadsheet's cell takes"
    assert text in [json.loads(line)["new_value"] for line in to_jsonl(rows)]
    table = format_table(digest_between(con, "us", nov(21), nov(22), UTC_ZONE, release=True))
    assert max(map(len, table.splitlines())) < 200
