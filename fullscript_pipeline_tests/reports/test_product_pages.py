"""Pages of products that changed, and the lists of brands and products to find them by."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.reports import ReportStore, catalog_index, write_catalog_digest
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse
from fullscript_pipeline_tests.helpers.html import read

World = dict[str, dict[str, dict[str, object]]]


@pytest.fixture
def catalog() -> Iterator[duckdb.DuckDBPyConnection]:
    con = warehouse()
    yield con
    con.close()


def day(con: duckdb.DuckDBPyConnection, store: ReportStore, world: World, number: int) -> Path:
    """Observes the world on that day of November, and writes its digest."""
    observe(con, world, noon(number))
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    made = datetime(2026, 11, number, 13, tzinfo=UTC)
    return write_catalog_digest(
        con, store, region="us", to_day=nov(number), rendered_at=made, time_zone=UTC_ZONE, release=True
    ).path


def test_only_products_that_changed_have_a_page_and_only_those_are_written_again(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore
) -> None:
    world = small_world()
    day(catalog, store, world, 20)
    folder = store.path_for_product("us", "p1").parent
    assert not folder.exists()
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    day(catalog, store, world, 21)
    assert [path.name for path in folder.iterdir()] == ["p1.html"]
    before = store.path_for_product("us", "p1").stat().st_mtime_ns
    world["products"]["p2"]["name"] = "Product Two"
    day(catalog, store, world, 22)
    assert sorted(path.name for path in folder.iterdir()) == ["p1.html", "p2.html"]
    assert store.path_for_product("us", "p1").stat().st_mtime_ns == before
    assert "Former names: Product 2." in read(store.path_for_product("us", "p2")).text


def test_a_page_has_the_whole_life_of_a_product(catalog: duckdb.DuckDBPyConnection, store: ReportStore) -> None:
    for number in range(6):
        plan = {"clinic_id": "c1", "treatment_plan_id": f"t{number}"}
        catalog.execute(
            "INSERT INTO history.treatment_plans VALUES ($clinic_id, $treatment_plan_id, 'active', NULL, $at, NULL)",
            plan | {"at": noon(20 if number < 3 else 1) if number < 3 else noon(21)},
        )
        catalog.execute(
            "INSERT INTO history.recommendations VALUES ($clinic_id, $treatment_plan_id, 'p1-60', NULL, $at, NULL)",
            plan | {"at": noon(20)},
        )
    catalog.execute("INSERT INTO core.clinics VALUES ('c1', 'k1', 'us')")
    world = small_world()
    day(catalog, store, world, 20)
    for number, price, stock in ((21, "25.00", "In Stock"), (22, "25.00", "Backordered"), (23, "18.50", "In Stock")):
        world["variants"]["p1-60"] |= {"msrp_raw": price, "availability": stock}
        digest = day(catalog, store, world, number)
    page = read(store.path_for_product("us", "p1"))
    for words in (
        "4 changes, the newest first.",
        "19.99 25.00 +5.01 (+25.1 %)",
        "In Stock Backordered",
        "Backordered In Stock",
    ):
        assert words in page.text
    assert "Nov 2026: 6" in page.html, "the plans of the month"
    assert page.stack_errors == 0
    line = next(attributes["d"] for attributes in page.all("path") if attributes.get("class") == "l l0")
    assert line.count("V") == 3, "a step for every version, up where the price rose, down where it fell"
    assert {"href": "products/p1.html"} in read(digest).all("a")
    for link in page.all("a"):
        if not link["href"].startswith("#"):
            assert (store.path_for_product("us", "p1").parent / link["href"]).exists(), link


def test_lists_find_every_brand_and_product(
    catalog: duckdb.DuckDBPyConnection, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_index, "PER_PAGE", 3)
    world = small_world()
    world["brands"]["b2"] = {"name": "Ärzte & </script> Söhne"}
    for number in range(5):
        world["products"][f"q{number}"] = {"name": f"</script>Zinc {number}", "brand_id": "b2"}
    day(catalog, store, world, 20)
    del world["products"]["q0"]
    day(catalog, store, world, 21)
    brands = read(store.path_for_catalog_list("us", "brands"))
    assert "Northwind Naturals 2 0 available" in brands.text
    first, second = (read(store.path_for_catalog_list("us", name)) for name in ("products", "products-page-2"))
    assert {"href": "products-page-3.html"} in first.all("a")
    assert "</script>Zinc 0 Ärzte & </script> Söhne Gone" in first.text
    assert "\\u003c/script>Zinc 4" in first.html, "the search of the first page knows the products of the others"
    assert second.stack_errors == first.stack_errors == brands.stack_errors == 0
