"""A catalog that is seen in part: what proves that something is new, category membership, events, untyped keys."""

import json
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from fullscript_pipeline.catalog import (
    build_catalog_changes,
    changes_between,
    coverage_between,
    digest_between,
    find_products,
    format_table,
    load_product_history,
    rebuild_start,
)
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world

Connection = duckdb.DuckDBPyConnection
NEW = {"name": "Newcomer", "brand_id": "b1"}


def shelve(con: Connection, day: int, *products: str, category: str = "k1") -> None:
    """What a clinic's category shows on a day, as the pull leaves it."""
    con.execute("INSERT INTO ops.pulls (region, clinic_id, resource, outcome, observed_at, complete) "
                "VALUES ('us', 'c1', 'categories', 'loaded', ?, true)", [noon(day)])  # fmt: skip
    con.execute("INSERT INTO core.categories SELECT 'c1', ?, 'Sleep', ?, NULL WHERE ? NOT IN "
                "(SELECT category_id FROM core.categories)", [category, noon(day), category])  # fmt: skip
    con.execute("UPDATE core.category_products SET removed_at = ? WHERE category_id = ? AND removed_at IS NULL "
                "AND product_id NOT IN ?", [noon(day), category, list(products)])  # fmt: skip
    for product in products:
        con.execute(
            "INSERT INTO core.category_products SELECT 'c1', ?, ?, 'x', ?, NULL WHERE NOT EXISTS "
            "(SELECT 1 FROM core.category_products WHERE category_id = ? AND product_id = ?)",
            [category, product, noon(day), category, product],
        )
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)


def changed(con: Connection, from_day: int, to_day: int, **options: Any) -> list[tuple[str, str, str]]:
    rows = changes_between(con, "us", nov(from_day), nov(to_day), UTC_ZONE, **options)
    return [(row.entity, row.entity_id, row.change) for row in rows]


@pytest.fixture
def partly(con: Connection) -> Connection:
    """A region whose full list is refused, seen on the 20th through one category."""
    observe(con, small_world(), noon(20), listed=False)
    shelve(con, 20, "p1", "p2")
    return con


def with_newcomer() -> dict[str, Any]:
    world: dict[str, Any] = small_world()
    world["products"]["p9"] = dict(NEW)
    world["variants"]["p9-60"] = {"product_id": "p9", "sku": "SKU9"}
    return world


def test_a_product_that_a_plan_leads_to_is_first_seen_and_not_new(partly: Connection) -> None:
    observe(partly, with_newcomer(), noon(21), listed=False)
    shelve(partly, 21, "p1", "p2")
    assert changed(partly, 20, 21) == []
    assert coverage_between(partly, "us", nov(20), nov(21), UTC_ZONE).first_seen == 1
    assert "Not counted as new: 1 product seen" in format_table(
        digest_between(partly, "us", nov(20), nov(21), UTC_ZONE)
    )
    shelve(partly, 23, "p1", "p2", "p9")
    assert changed(partly, 20, 23) == [], "being put on a shelf later does not make it new"
    assert partly.execute(
        "SELECT count(*) FROM marts.catalog_changes WHERE entity <> 'category_product'"
    ).fetchall() == [(0,)]


def test_a_product_that_a_known_category_comes_to_show_is_new(partly: Connection) -> None:
    observe(partly, with_newcomer(), noon(21), listed=False)
    shelve(partly, 21, "p1", "p2", "p9")
    assert changed(partly, 20, 21) == [("product", "p9", "added"), ("variant", "p9-60", "added")]
    assert changed(partly, 20, 21, entities=["category_product"]) == [("category_product", "k1/p9", "added")]


def test_products_of_a_category_never_read_before_are_first_seen(partly: Connection) -> None:
    observe(partly, with_newcomer(), noon(21), listed=False)
    shelve(partly, 21, "p9", category="k2")
    assert changed(partly, 20, 21, entities=["product", "variant", "category_product"]) == []


def test_a_first_full_listing_makes_nothing_new_and_a_second_one_does(con: Connection) -> None:
    observe(con, small_world(), noon(20), listed=False)
    shelve(con, 20, "p1")
    world = with_newcomer()
    observe(con, world, noon(21))
    assert changed(con, 20, 21) == []
    world["products"]["p10"] = dict(NEW)
    observe(con, world, noon(22))
    assert changed(con, 21, 22) == [("product", "p10", "added")]


def test_a_further_variant_of_a_known_product_is_new_without_any_listing(partly: Connection) -> None:
    world = small_world()
    world["variants"]["p1-240"] = {"product_id": "p1", "sku": "SKU1240"}
    observe(partly, world, noon(21), listed=False)
    assert changed(partly, 20, 21) == [("variant", "p1-240", "added")]


def test_a_category_loses_and_gets_back_a_product(partly: Connection) -> None:
    shelve(partly, 21, "p1")
    assert changed(partly, 20, 21, entities=["category_product"]) == [("category_product", "k1/p2", "removed")]
    partly.execute("UPDATE core.category_products SET removed_at = NULL, observed_at = ?", [noon(22)])
    shelve(partly, 22, "p1", "p2")
    assert changed(partly, 21, 22, entities=["category_product"]) == [("category_product", "k1/p2", "returned")]
    assert changed(partly, 20, 22) == []


def test_untyped_keys_are_compared_where_both_days_have_them(con: Connection) -> None:
    world: dict[str, Any] = small_world()
    world["products"]["p1"]["extra"] = json.dumps({"brand": {"name": "Old"}, "shape": "round", "gone": 1})
    observe(con, world, noon(21))
    world["products"]["p1"]["extra"] = json.dumps({"brand": {"name": "New"}, "shape": "oval", "come": 1})
    observe(con, world, noon(22))
    rows = changes_between(con, "us", nov(21), nov(22), UTC_ZONE, field="shape")
    assert [(row.field, row.old_value, row.new_value) for row in rows] == [("shape", "round", "oval")]
    assert changed(con, 21, 22) == [("product", "p1", "changed")]
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    assert con.execute("SELECT field FROM marts.catalog_changes").fetchall() == [("shape",)]


def test_an_untyped_key_that_moves_everywhere_is_no_news(con: Connection) -> None:
    world: dict[str, Any] = {"products": {f"p{n}": {"name": f"Product {n}"} for n in range(12)}}
    for day in (21, 22):
        for record in world["products"].values():
            record["extra"] = json.dumps({"rendered_at": f"2026-11-{day}"})
        observe(con, world, noon(day))
    assert changed(con, 21, 22) == []


def test_the_mart_is_built_from_where_it_may_lack_days(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    assert rebuild_start(con, "us", nov(20), UTC_ZONE) is None
    for day in (21, 22, 23):
        world["products"]["p1"]["name"] = f"Name {day}"
        observe(con, world, noon(day))
        if day == 21:
            build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    since = rebuild_start(con, "us", nov(23), UTC_ZONE)
    assert since is not None
    assert since < noon(21) < since + timedelta(days=1), "the day after the last build failed: it is made up for"
    build_catalog_changes(con, "us", time_zone=UTC_ZONE, since=since)
    days = con.execute("SELECT changed_on FROM marts.catalog_changes ORDER BY 1").fetchall()
    assert days == [(nov(21),), (nov(22),), (nov(23),)]


def test_a_products_life_is_found_by_any_of_its_names(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    world["variants"]["p1-60"]["msrp_raw"] = "25.00"
    world["variants"]["p2-60"]["sku"] = "SKU160"
    observe(con, world, noon(21))
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    for word in ("p1", "product 1", "p1-120", "SKU1120"):
        assert [match.product_id for match in find_products(con, word)] == ["p1"]
    assert len(find_products(con, "SKU160")) == 2, "the same SKU on two variants is two answers"
    with pytest.raises(UsageError, match="did you mean Product 1 or Product 2"):
        find_products(con, "roduct")
    life = load_product_history(con, "us", "p1", "UTC")
    assert life.first_seen_on == nov(20)
    assert [(event.field, event.new_value) for event in life.events] == [("msrp", "25.00")]
