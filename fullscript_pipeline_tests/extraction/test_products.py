"""What counts as a whole product, and lists that keep objects inside others."""

from typing import Any

import orjson
import pytest

from fullscript_pipeline.extraction.catalog import all_categories
from fullscript_pipeline.extraction.labs import with_results
from fullscript_pipeline.extraction.products import is_whole
from fullscript_pipeline.warehouse.landing import Line, canonical, content_hash

WHOLE: dict[str, Any] = {
    "id": "p",
    "name": "C",
    "description_html": None,
    "dosage": {},
    "variants": [{"id": "v", "units": 60}],
}


def line(record: dict[str, Any]) -> Line:
    text = canonical(record)
    return Line(str(record["id"]), None, content_hash(text), text)


@pytest.mark.parametrize(
    ("change", "whole"),
    [
        ({}, True),
        ({"variants": []}, True),
        ({"variants": ["v"]}, False),
        ({"variants": [{"id": "v", "sku": "1", "name": "60"}]}, False),
        ({"variants": None, "variant_ids": ["v"]}, False),
        ({"description_html": ...}, False),
        ({"dosage": ...}, False),
    ],
)
def test_a_listed_product_is_whole_with_its_text_and_its_variants(change: dict[str, Any], whole: bool) -> None:
    record = {key: value for key, value in (WHOLE | change).items() if value is not ...}
    assert is_whole(line(record)) is whole


def test_categories_inside_others_are_categories_too() -> None:
    inner = {"id": 3, "name": "inner", "sub_categories": [{"id": "4", "name": "innermost"}]}
    nested = [line({"id": "1", "name": "outer", "sub_categories": [inner]}), line({"id": "2", "name": "alone"})]
    found = {one.id: orjson.loads(one.record) for one in all_categories(nested)}
    assert found == {
        "1": {"id": "1", "name": "outer"},
        "2": {"id": "2", "name": "alone"},
        "3": {"id": 3, "name": "inner", "parent_category_id": "1"},
        "4": {"id": "4", "name": "innermost", "parent_category_id": "3"},
    }


def test_a_category_that_is_listed_and_nested_is_one_whatever_the_order() -> None:
    outer = line({"id": "1", "name": "outer", "children": [{"id": "2", "name": "inner"}]})
    inner = line({"id": "2", "name": "inner"})
    hashes = [{one.id: one.hash for one in all_categories(order)} for order in ([outer, inner], [inner, outer])]
    assert hashes[0] == hashes[1]
    assert hashes[0]["2"] == inner.hash


def test_results_inside_tests_come_to_stand_beside_them() -> None:
    tests = [{"id": "t1", "results": [{"id": "r1"}]}, {"id": "t2", "results": []}, {"id": "t3"}]
    record = orjson.loads(with_results(line({"id": "1", "tests": tests})).record)
    assert record == {"id": "1", "tests": [{"id": "t1"}, {"id": "t2"}, {"id": "t3"}], "results": [{"id": "r1"}]}
    usual = line({"id": "1", "tests": [{"id": "t1"}], "results": []})
    assert with_results(usual) is usual
