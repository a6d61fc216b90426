"""What counts as a whole product, and lists that keep objects inside others."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.pulls import missing_variants, treatment_plans
from fullscript_pipeline.extraction.pulls.catalog import all_categories, pull_reference_list
from fullscript_pipeline.extraction.pulls.lab_orders import with_results
from fullscript_pipeline.extraction.pulls.products import is_complete_product
from fullscript_pipeline.resources.reference_lists import ALLERGENS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Line, canonical, content_hash
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

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
    assert is_complete_product(line(record)) is whole


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


@pytest.mark.parametrize("said", [{}, {"variant_ids": ["v1", 2]}, {"variants": [{"id": "v1"}, {"id": 2}]}])
def test_a_variant_is_kept_whatever_its_product_says_of_it(tmp_path: Path, said: dict[str, Any]) -> None:
    """A product that says nothing of its variants brings none; one that names them is put together."""

    def answer(seen: Seen) -> Reply:
        match seen.path.split("/")[2:]:
            case ["variants", one]:
                product = {"id": "p1", "name": "C"}
                return Reply(body={"variant": {"id": one, "sku": "s" + one, "units": 60, "product": product}})
            case ["products", "p1"]:
                return Reply(body={"product": {"id": "p1", "name": "C", **said}})
            case ["treatment_plans", one]:
                return Reply(body={"treatment_plan": {"id": one, "recommendations": [{"variant_id": "v1"}]}})
        return Reply(status=404)

    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    today = datetime.now(UTC).date()
    target = Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server=CLINIC.server,
        region=CLINIC.region,
        day=today,
        run_id="run",
        clinic=CLINIC,
    )
    with odd_server(answer) as server, session_at(server.url) as session:
        treatment_plans.fetch_plans(target, session, [], ["t1"])
        missing_variants.pull_unknown_variants(target, session)
        asked = [seen.path for seen in server.requests]
        again = missing_variants.pull_unknown_variants(target, session)
        assert (again.requests, len(set(asked))) == (0, len(asked))
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT variant_id, product_id, sku, units::INT FROM core.variants ORDER BY 2, 1 DESC"
        ).fetchall()
        names = con.execute("SELECT product_id, name FROM core.products").fetchall()
    assert rows == [("v1", "p1", "sv1", 60), *([("2", "p1", "s2", 60)] if said else [])]
    assert names == [("p1", "C")]


def test_a_token_that_works_nowhere_does_not_keep_the_catalog_from_another_clinic(tmp_path: Path) -> None:
    """Its renewals may still succeed, so that the clinic looks healthy."""
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    today = datetime.now(UTC).date()
    target = Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server=CLINIC.server,
        region=CLINIC.region,
        day=today,
        run_id="run",
    )
    dead, alive = [Reply(status=401)], [Reply(body={"allergens": [{"id": "a1", "name": "Milk"}]})]
    with (
        odd_server(dead) as first,
        odd_server(alive) as second,
        session_at(first.url) as sick,
        session_at(second.url) as well,
    ):
        report = pull_reference_list(target, [sick, well], ALLERGENS)
        with pytest.raises(NeedsConnect):
            pull_reference_list(target, [sick], ALLERGENS)
    assert (report.outcome, report.counts["allergens"].added) == ("loaded", 1)
