"""Finding a product by what it is or was called, and which of its names that was."""

import unicodedata

import duckdb
import pytest

from fullscript_pipeline.catalog import find_products
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline_tests.helpers.catalog_history import noon, observe, small_world


@pytest.fixture
def renamed(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Product 1 was renamed and got other codes; a product of another brand has its name of before."""
    world = small_world()
    world["variants"]["p1-60"]["upc"] = "001"
    observe(con, world, noon(20))
    world["products"]["p1"]["name"] = "Zinc Drops"
    world["variants"]["p1-60"] |= {"sku": "ZN-60", "upc": "002"}
    world["brands"]["b2"] = {"name": "Hill Labs"}
    world["products"]["p3"] = {"name": "Zinc drops", "brand_id": "b2"}
    observe(con, world, noon(21))
    return con


@pytest.mark.parametrize(
    ("word", "found_by"),
    [
        ("p1", "id"),
        ("p1-60", "variant id"),
        ("ZN-60", "SKU"),
        ("002", "UPC"),
        ("product 1", "former name"),
        ("SKU160", "former SKU"),
        (" 001 ", "former UPC"),
    ],
)
def test_a_product_is_found_by_what_it_is_or_was_called(
    renamed: duckdb.DuckDBPyConnection, word: str, found_by: str
) -> None:
    assert [(match.product_id, match.found_by) for match in find_products(renamed, word)] == [("p1", found_by)]


def test_namesakes_are_told_apart_by_brand(renamed: duckdb.DuckDBPyConnection) -> None:
    assert len(find_products(renamed, "ZINC DROPS")) == 2
    (match,) = find_products(renamed, "ZINC DROPS", brand="hill labs")
    assert (match.product_id, match.brand_name) == ("p3", "Hill Labs")
    with pytest.raises(UsageError, match="'product 1' is no product of 'Hill Labs'; it is one of Northwind Naturals"):
        find_products(renamed, "product 1", brand="Hill Labs")


def test_what_has_the_name_now_hides_what_had_it_before(con: duckdb.DuckDBPyConnection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    world["products"]["p1"]["name"], world["products"]["p2"]["name"] = "Elsewhere", "Product 1"
    observe(con, world, noon(21))
    assert [match.product_id for match in find_products(con, "Product 1")] == ["p2"]


def test_a_former_name_is_found_in_its_brand_though_another_brand_has_it_now(
    renamed: duckdb.DuckDBPyConnection,
) -> None:
    world = small_world()
    world["brands"]["b2"] = {"name": "Hill Labs"}
    world["products"]["p1"]["name"] = "Échinacée"
    world["products"]["p4"] = {"name": "Product 1", "brand_id": "b2"}
    observe(renamed, world, noon(22))
    assert [match.product_id for match in find_products(renamed, "Product 1")] == ["p4"]
    (match,) = find_products(renamed, "Product 1", brand="Northwind Naturals")
    assert (match.product_id, match.found_by) == ("p1", "former name")
    assert [match.product_id for match in find_products(renamed, unicodedata.normalize("NFD", "échinacée"))] == ["p1"]
