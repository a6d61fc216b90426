"""The Atom feeds of a catalog: valid by RFC 4287, with stable absolute ids, rooted where the pages are served."""

from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest

from fullscript_pipeline.catalog import SECTIONS, build_catalog_changes
from fullscript_pipeline.reports import ReportStore, write_catalog_digest
from fullscript_pipeline_tests.helpers.atom_feeds import ATOM, links, parse_valid_feed
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse

BASE = "https://pages.clinic.example/fs"
ODD = "﷐<b>New</b> & \x00odd\ufffe one"


@pytest.fixture
def catalog() -> Iterator[duckdb.DuckDBPyConnection]:
    """A catalog of three days: a price up, then a product of an odd name, and one gone with its variants."""
    con = warehouse()
    world = small_world()
    for number in range(9):
        world["products"][f"q{number}"] = {"name": f"Filler {number}", "brand_id": "b/2"}
    world["brands"]["b/2"] = {"name": "Maple & Co", "status": "available"}
    observe(con, world, noon(20))
    world["variants"]["p1-60"]["msrp_raw"] = "21.99"
    observe(con, world, noon(21))
    world["products"]["p9"] = {"name": ODD, "brand_id": "b1"}
    del world["products"]["p2"], world["variants"]["p2-60"], world["variants"]["p2-120"]
    observe(con, world, noon(22))
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    yield con
    con.close()


def written(con: duckdb.DuckDBPyConnection, store: ReportStore, base_url: str | None) -> ReportStore:
    for day in (20, 21, 22):
        write_catalog_digest(
            con, store, region="us", to_day=nov(day), rendered_at=datetime(2026, 11, day, 13, tzinfo=UTC),
            time_zone=UTC_ZONE, base_url=base_url,
        )  # fmt: skip
    return store


def test_every_feed_is_valid_and_leads_to_pages_that_exist(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore
) -> None:
    folder = written(catalog, store, BASE).root / "catalog" / "us"
    paths = sorted(folder.rglob("*.atom"))
    assert len(paths) == 1 + len(SECTIONS) + 2
    for path in paths:
        feed = parse_valid_feed(path.read_bytes())
        address = f"{BASE}/catalog/us/{path.relative_to(folder).as_posix()}"
        assert links(feed, "self") == [address]
        found = [feed, *feed.findall(f"{ATOM}entry")]
        for href in [href for element in found for href in links(element, "alternate")]:
            assert (folder / href.removeprefix(f"{BASE}/catalog/us/").partition("#")[0]).exists(), href


def test_without_an_address_links_are_relative_to_the_feed(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore
) -> None:
    folder = written(catalog, store, None).root / "catalog" / "us"
    for path in folder.rglob("*.atom"):
        feed = parse_valid_feed(path.read_bytes())
        assert links(feed, "self") == [path.name]
        for element in [feed, *feed.findall(f"{ATOM}entry")]:
            for href in links(element, "alternate"):
                assert (path.parent / href.partition("#")[0]).resolve().exists(), href


def test_a_day_is_an_entry_and_a_change_is_in_one_section(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore
) -> None:
    folder = written(catalog, store, BASE).root / "catalog" / "us"

    def summaries(path: str) -> dict[str, list[str]]:
        entries = parse_valid_feed((folder / path).read_bytes()).findall(f"{ATOM}entry")
        return {
            (entry.findtext(f"{ATOM}id") or "").rpartition(":")[2]: (entry.findtext(f"{ATOM}summary") or "").split("\n")
            for entry in entries
        }

    everything = summaries("changes.atom")
    assert list(everything) == ["2026-11-22", "2026-11-21"]
    price = "Northwind Naturals | Product 1 | SKU160: msrp 19.99 → 21.99 +2.00 (+10.0 %)"
    assert everything["2026-11-21"] == [price]
    assert set(everything["2026-11-22"]) == {
        "Northwind Naturals | Product 2: product removed with 2 variants",
        "Northwind Naturals | ﷐<b>New</b> & odd one: product added",
    }
    by_section = {key: summaries(f"sections/{key}.atom") for key, _ in SECTIONS}
    lines = [line for found in by_section.values() for day in found.values() for line in day]
    assert sorted(lines) == sorted(line for day in everything.values() for line in day)
    assert by_section["price_up"] == {"2026-11-21": [price]}
    assert summaries("brands/b1.atom") == everything
    first = parse_valid_feed((folder / "changes.atom").read_bytes())
    assert first.findtext(f"{ATOM}id") == "urn:fullscript-pipeline:catalog:us:all"


@pytest.mark.parametrize(
    "broken",
    [
        ("<updated>", "<updated>yesterday "),
        ("<title>", "<title type='markdown'>"),
        ("<author>", "<author><name>a</name>"),
        ("<id>", "<id>a</id><id>"),
        ("</feed>", "<entry><title>a</title></entry></feed>"),
    ],
)
def test_the_schema_refuses_what_is_no_feed(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore, broken: tuple[str, str]
) -> None:
    path = written(catalog, store, BASE).path_for_feed("us", "changes.atom")
    with pytest.raises(AssertionError):
        parse_valid_feed(path.read_text(encoding="utf-8").replace(*broken, 1).encode())
