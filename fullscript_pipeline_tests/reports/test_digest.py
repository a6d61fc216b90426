"""The digest page: what it lists, holds back and links; and the word difference."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.catalog import build_catalog_changes, digest_between
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import DigestWritten, ReportStore, render_catalog_digest, write_catalog_digest
from fullscript_pipeline.reports.word_diff import plain, word_diff
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.helpers.html import Page, read

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def catalog() -> Iterator[duckdb.DuckDBPyConnection]:
    """A catalog pulled on the 20th and the 22nd, with a change of most kinds between."""
    con = warehouse()
    world = small_world()
    for number in range(20):
        world["products"][f"q{number}"] = {"name": f"Filler {number}", "brand_id": "b1"}
        world["variants"][f"q{number}-1"] = {"product_id": f"q{number}", "units": 1, "msrp": "5", "msrp_raw": "5.00"}
    observe(con, world, noon(20))
    world["products"]["p1"]["description_html"] = "<p>Take with <b>plenty</b> of food.</p><script>alert(1)</script>"
    world["products"]["p2"]["name"] = " PRODUCT 2"
    world["variants"]["p1-60"]["msrp_raw"] = "21.99"
    world["variants"]["p2-60"]["availability"] = "Backordered"
    world["products"]["p3"] = {"name": "<b>New</b> one", "brand_id": "b1"}
    world["variants"]["p3-60"] = {"product_id": "p3", "units": 60}
    del world["products"]["q0"], world["variants"]["q0-1"]
    observe(con, world, noon(22))
    yield con
    con.close()


def written(con: duckdb.DuckDBPyConnection, store: ReportStore, day: int, *, release: bool = False) -> DigestWritten:
    return write_catalog_digest(
        con, store, region="us", to_day=nov(day), rendered_at=NOON, time_zone=UTC_ZONE, release=release
    )


def test_pages_of_the_catalog_in_french(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    build_catalog_changes(catalog, "us", time_zone=UTC_ZONE)
    found = write_catalog_digest(
        catalog, store, region="us", to_day=nov(22), rendered_at=NOON, time_zone=UTC_ZONE, release=True, language="fr"
    )
    product = read(store.path_for_product("us", "p1")).text
    for text in (read(found.path).text, product, read(store.path_for_catalog_list("us", "products")).text):
        assert not {"made", "Gone", "Price", "Availability", "Active", "Search", "Day"} & set(text.split())
    assert "Hausses de prix" in read(found.path).text
    assert "Prix (PDSF, USD)" in product
    pages = (found.path, store.path_for_brand("us", "b1"), store.path_for_product("us", "p1"))
    for path in (*pages, store.path_for_catalog_list("us", "products")):
        assert not re.findall(r"\d\.\d", read(path).text), f"{path.name} writes a number in English"
    assert "19,99 21,99 +2,00 (+10,0 %)" in product
    for path in pages[:2]:
        assert '.o::before{content:"Ancien"}' in path.read_text(encoding="utf-8"), "cards have heads in French too"
    assert 'href="../2026-11-22.html"' in store.path_for_product("us", "p1").read_text(encoding="utf-8")


def test_the_digest_lists_each_change_in_its_section(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    found = written(catalog, store, 22)
    assert found.path == store.root / "catalog" / "us" / "2026-11-22.html"
    assert dict(found.counts) == {
        "removed": 1, "discontinued": 0, "stock": 1, "price_up": 1, "price_down": 0, "new": 1, "variants": 0,
        "facts": 0, "text": 1, "cosmetic": 1,
    }  # fmt: skip
    page = read(found.path)
    assert "Catalog changes, US, 20 → 22 Nov 2026 Coverage: 22 products seen (full listing)." in page.text
    assert "22 Nov 2026 Northwind Naturals Product 1 SKU160" in page.text, "each row has its day"
    assert "Price (MSRP) 19.99 21.99 ▲ +2.00 (+10.0 %)" in page.text
    assert "New product with 1 variant" in page.text
    assert "Product gone with 1 variant" in page.text
    assert "In Stock Backordered" in page.text
    assert "Not listed: 1 rewriting of the same text" in page.text
    assert "<ins>plenty of</ins>" in page.html
    assert "<b>New</b> one" in page.text
    assert len(page.all("script")) == 1
    assert page.stack_errors == 0
    assert len(page.all("caption")) == len(page.all("table"))
    csv_text = found.path.with_suffix(".csv").read_text(encoding="utf-8")
    assert len(csv_text.splitlines()) == 6


def test_the_first_day_is_the_baseline_and_days_are_linked(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore
) -> None:
    first = written(catalog, store, 20)
    assert "First observation of this catalog: the baseline." in read(first.path).text
    assert sum(first.counts.values()) == 0
    second = read(written(catalog, store, 22).path)
    assert {"href": "2026-11-20.html"} in second.all("a")
    days = read(store.path_for_digest("us"))
    pages = [link["href"] for link in days.all("a") if link["href"].startswith("2026") and "#" not in link["href"]]
    assert pages == ["2026-11-22.html", "2026-11-20.html"]
    assert "22 Nov 2026 5 Gone 1, Out of stock or back in stock 1" in days.text


def test_a_held_digest_lists_nothing_until_released(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    observe(catalog, {"brands": small_world()["brands"]}, noon(23))
    build_catalog_changes(catalog, "us", time_zone=UTC_ZONE)
    held = written(catalog, store, 23)
    assert held.held is not None
    assert "are gone at once" in read(held.path).text
    assert not read(held.path).all("table")
    assert held.path.with_suffix(".csv").read_text(encoding="utf-8").count("\n") == 1
    brands = read(store.path_for_catalog_list("us", "brands")).text
    assert "Northwind Naturals 0 7 available" in brands, "the changes of 22 Nov only"
    released = written(catalog, store, 23, release=True)
    assert released.held is None
    assert read(released.path).all("table")


def test_a_region_without_catalog_is_a_sentence(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    with pytest.raises(UsageError, match="Region 'us' has no catalog on or before 2026-11-19"):
        written(catalog, store, 19)


def test_a_digest_for_the_terminals_html_stands_alone(catalog: duckdb.DuckDBPyConnection) -> None:
    digest = digest_between(catalog, "us", nov(20), nov(22), UTC_ZONE)
    page = Page(render_catalog_digest(digest, rendered_at=NOON, time_zone=UTC_ZONE))
    assert {link["href"][0] for link in page.all("a")} == {"#"}


def test_the_label_facts_of_a_product_are_one_row_of_several_lines() -> None:
    con = warehouse()
    world = small_world()
    observe(con, world, noon(21))
    world["products"]["p1"] |= {"dosage_format": "powder", "dosage_recommended_amount": "2"}
    observe(con, world, noon(22))
    digest = digest_between(con, "us", nov(21), nov(22), UTC_ZONE)
    assert digest.counts["facts"] == 1
    page = Page(render_catalog_digest(digest, rendered_at=NOON, time_zone=UTC_ZONE))
    assert [row.get("class") for row in page.all("tr") if "data-b" in row] == [None, "more"]
    con.close()


@pytest.mark.check_all
def test_thousands_of_changes_are_small_pages(store: ReportStore) -> None:
    con = warehouse()
    world = small_world()
    world["variants"] = {f"v{n}": {"product_id": "p1", "units": 60, "msrp_raw": "10.00"} for n in range(600)}
    observe(con, world, noon(21))
    for record in world["variants"].values():
        record["availability"] = "Backordered"
    observe(con, world, noon(22))
    found = written(con, store, 22)
    assert found.counts["stock"] == 600
    pages = sorted(found.path.parent.glob("2026-11-22*.html"))
    assert len(pages) == 3
    assert max(page.stat().st_size for page in pages) <= 300_000
    assert read(found.path).text.count("Backordered") == 20
    assert sum(read(page).text.count("Backordered") for page in pages if page != found.path) == 600
    assert {"href": "2026-11-22-stock-2.html"} in read(found.path).all("a")
    con.close()


def test_word_diff_shows_the_words_that_moved() -> None:
    assert str(word_diff("<p>Take one with food.</p>", "<p>Take two with food.</p>")) == (
        "Take <del>one</del> <ins>two</ins> with food."
    )
    assert str(word_diff("<p>Same</p>", "<div>Same</div>")) == "only the markup changed"
    assert str(word_diff(None, "New text")) == "<ins>New text</ins>"
    long = "word " * 50
    assert str(word_diff(f"{long}old {long}", f"{long}new {long}")).count("word") == 12


@given(st.text(), st.text())
def test_word_diff_is_never_markup_of_the_vendor(old: str, new: str) -> None:
    """Only our own ins and del elements come out, whatever comes in."""
    page = Page(str(word_diff(old, new)))
    assert {tag for tag, _ in page.tags} <= {"ins", "del"}
    assert page.stack_errors == 0


def test_a_brand_has_a_page_and_a_feed(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    build_catalog_changes(catalog, "us", time_zone=UTC_ZONE)
    found = written(catalog, store, 22)
    page = read(store.path_for_brand("us", "b1"))
    assert "22 products seen, brand available" in page.text
    assert "Price (MSRP) 19.99 21.99 ▲ +2.00 (+10.0 %)" in page.text
    assert page.stack_errors == 0
    assert {"href": "brands/b1.html"} in read(found.path).all("a")
    feed = ET.fromstring(store.path_for_brand("us", "b1", "atom").read_text(encoding="utf-8"))  # noqa: S314 -- ours
    atom = "{http://www.w3.org/2005/Atom}"
    (entry,) = feed.findall(f"{atom}entry")
    assert entry.findtext(f"{atom}id") == "urn:fullscript-pipeline:catalog:us:brand:b1:2026-11-22"
    summary = entry.findtext(f"{atom}summary") or ""
    assert "SKU160: msrp 19.99 → 21.99 +2.00 (+10.0 %)" in summary
    assert "<b>New</b> one: product added" in summary


def test_the_lines_follow_their_schema_and_hide_small_counts(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore
) -> None:
    catalog.execute(
        """INSERT INTO core.clinics VALUES ('c1', 'k1', 'us'); INSERT INTO core.treatment_plans VALUES
        ('c1', 't1', 'active', NULL); INSERT INTO core.recommendations VALUES ('c1', 't1', 0, 'p1-60', NULL)"""
    )
    found = written(catalog, store, 22)
    schema = json.loads((found.path.parent / "schema.v1.json").read_text())
    lines = found.path.with_suffix(".v1.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 5
    assert all(list(row) == schema["required"] for row in rows)
    assert {row["active_plans"] for row in rows} == {0, None}


def test_watched_brands_get_their_own_digest(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    names = ["NORTHWIND NATURALS", "Elsewhere <b>"]
    found = write_catalog_digest(
        catalog, store, region="us", to_day=nov(22), rendered_at=NOON, time_zone=UTC_ZONE, watched_brands=names
    )
    assert found.watched == store.root / "catalog" / "us" / "watched" / "2026-11-22.html"
    page = read(found.watched)
    assert "Not in this region: Elsewhere <b>." in page.text
    assert "Price (MSRP) 19.99 21.99" in page.text
    for link in page.all("a"):
        if not link["href"].startswith("#"):
            assert (found.watched.parent / link["href"]).exists(), link
    assert store.digest_days("us") == [nov(22)]


def test_long_descriptions_are_bounded() -> None:
    """Also in time: a reading that goes back for every character would end in the test's timeout."""
    for open_tag in ("<script ", "<!--", "<script>", "< ", "<style"):
        plain(open_tag * (200_000 // len(open_tag)))
    old = " ".join(f"w{number}" for number in range(40_000))
    shown = str(word_diff(f"<p>{old}</p>", " ".join(f"v{number}" for number in range(40_000))))
    assert "(40,000 words)" in shown
    assert len(shown) < 4_000
    assert plain("<" * 200_000) == "<" * 200_000
