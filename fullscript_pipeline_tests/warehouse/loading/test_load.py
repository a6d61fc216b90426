"""Only differences are written; what cannot be typed is set aside; history gives every past snapshot back."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.products import PRODUCTS, VARIANTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Size
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING, Among
from fullscript_pipeline_tests.helpers.warehouse_loads import Record, context, lines_of, put, rows


def order(number: int, **changes: Any) -> Record:
    return {
        "id": f"o{number}",
        "order_number": f"R{number}",
        "completed_at": "2025-01-31T23:30:00-05:00",
        "treatment_plan_ids": ["p1"],
        "patient_id": "x",
        "line_items": [{"variant_id": "v1", "quantity": 2, "type": "supplement"}],
    } | changes


def plan(*dosages: str, **changes: Any) -> Record:
    lines = [{"variant_id": f"v{i}", "dosage": {"amount": one}} for i, one in enumerate(dosages)]
    return {"id": "p1", "state": "active", "patient": {"id": "x"}, "recommendations": lines} | changes


def test_the_same_records_again_write_nothing(warehouse: Warehouse) -> None:
    records = [order(i) for i in range(50)]
    assert put(warehouse, ORDERS, records).added == 50
    again = put(warehouse, ORDERS, [dict(reversed(one.items())) for one in reversed(records)], 1)
    assert (again.added, again.changed, again.removed) == (0, 0, 0)


def test_an_order_keeps_its_instant_and_its_date_as_written(warehouse: Warehouse) -> None:
    put(warehouse, ORDERS, [order(1)])
    assert rows(
        warehouse, "SELECT completed_at::VARCHAR, completed_on::VARCHAR, completed_at_raw FROM core.orders"
    ) == [("2025-02-01 04:30:00+00", "2025-01-31", "2025-01-31T23:30:00-05:00")]


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2025-01-31 23:30:00 -0500", "2025-02-01 04:30:00+00"),
        ("2025-01-31 23:30:00 UTC", "2025-01-31 23:30:00+00"),
        ("2025-01-31T23:30Z", "2025-01-31 23:30:00+00"),
        ("2025-01-31t23:30:00.500z", "2025-01-31 23:30:00.5+00"),
        ("2025-01-31T23:30:00+0545", "2025-01-31 17:45:00+00"),
    ],
)
def test_a_time_is_read_in_any_usual_spelling(warehouse: Warehouse, written: str, instant: str) -> None:
    put(warehouse, ORDERS, [order(1, completed_at=written)])
    stored = rows(warehouse, "SELECT completed_at::VARCHAR, completed_on::VARCHAR, completed_at_raw FROM core.orders")
    assert stored == [(instant, "2025-01-31", written)]


@pytest.mark.parametrize(
    ("said", "plans"),
    [
        ({"treatment_plan_ids": ["a", 1]}, ["a", "1"]),
        ({"treatment_plans": [{"id": 7}, {"id": None}, {"id": "b"}]}, ["7", "b"]),
        ({"treatment_plan_id": "a"}, ["a"]),
        ({"treatment_plan": {"id": "a"}}, ["a"]),
        ({"treatment_plan_ids": None, "treatment_plan": None}, []),
    ],
)
def test_other_objects_are_named_by_id_or_nested(warehouse: Warehouse, said: Record, plans: list[str]) -> None:
    one = {key: value for key, value in order(1).items() if key not in {"treatment_plan_ids", "patient_id"}}
    line = {"variant": {"id": 9, "sku": "s"}, "quantity": 1, "type": "supplement"}
    put(warehouse, ORDERS, [one | {"patient": {"id": 3}, "line_items": [line]} | said])
    assert rows(warehouse, "SELECT patient_id, treatment_plan_ids FROM core.orders") == [("3", plans)]
    assert rows(warehouse, "SELECT variant_id FROM core.order_line_items") == [("9",)]


def test_a_product_without_its_variants_says_nothing_of_them(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [{"id": "p", "name": "a", "variants": [{"id": "v", "sku": "1"}]}])
    put(warehouse, PRODUCTS, [{"id": "p", "name": "b"}], 1)
    there = "SELECT variant_id FROM core.variants WHERE removed_at IS NULL"
    assert rows(warehouse, there) == [("v",)]
    put(warehouse, PRODUCTS, [{"id": "p", "name": "c", "variants": []}], 2)
    assert rows(warehouse, there) == []


@pytest.mark.parametrize(
    "mark",
    [{"state": "refunded"}, {"status": "Refunded"}, {"refunded": True}, {"refunded": "true"}, {"refunded_at": "x"}],
)
def test_every_plausible_mark_is_taken_for_a_refund(warehouse: Warehouse, mark: Record) -> None:
    put(warehouse, ORDERS, [order(1), order(2, **mark)])
    assert rows(warehouse, "SELECT order_id FROM core.orders WHERE is_refunded") == [("o2",)]


@pytest.mark.parametrize(("said", "kept"), [("p1", ["p1"]), (7, ["7"]), ("", []), ({"id": "p1"}, [])])
def test_a_single_text_is_a_list_of_one(warehouse: Warehouse, said: Any, kept: list[str]) -> None:
    put(warehouse, ORDERS, [order(1, treatment_plan_ids=said)])
    assert rows(warehouse, "SELECT treatment_plan_ids FROM core.orders") == [(kept,)]
    put(warehouse, TREATMENT_PLANS, [plan(recommendations=[{"variant_id": "v", "dosage": {"time_of_day": said}}])])
    assert rows(warehouse, "SELECT dosage_time_of_day FROM core.recommendations") == [(kept,)]


def test_an_object_of_numbered_lines_is_their_list(warehouse: Warehouse) -> None:
    line = {"variant_id": "v1", "quantity": 2, "type": "supplement"}
    put(warehouse, ORDERS, [order(1, line_items={"0": line, "1": line | {"variant_id": "v2"}})])
    assert rows(warehouse, "SELECT variant_id, quantity FROM core.order_line_items ORDER BY 1") == [
        ("v1", 2),
        ("v2", 2),
    ]
    counts = put(warehouse, ORDERS, [order(2, line_items=line)])
    assert (counts.added, counts.quarantined) == (1, 1), "an object that is no list is told once"


def test_what_is_set_aside_counts_as_neither_new_nor_changed(warehouse: Warehouse) -> None:
    bad = {"completed_at": "yesterday"}
    first = put(warehouse, ORDERS, [order(1), order(2), order(3, **bad)])
    assert (first.added, first.changed, first.quarantined) == (2, 0, 1)
    again = put(warehouse, ORDERS, [order(1), order(2, **bad), order(3, **bad)], 1)
    assert (again.added, again.changed, again.quarantined) == (0, 0, 2)


def test_one_poison_record_in_a_hundred_is_set_aside_and_the_rest_loads(warehouse: Warehouse) -> None:
    records = [order(i) for i in range(100)]
    records[50]["completed_at"] = "yesterday"
    counts = put(warehouse, ORDERS, records)
    assert counts.quarantined == 1
    assert rows(warehouse, "SELECT count(*) FROM core.orders") == [(99,)]
    assert rows(warehouse, "SELECT table_name, record_key, reason FROM ops.quarantine") == [
        ("orders", "o50", "completed_at is not a time")
    ]
    put(warehouse, ORDERS, records, 1)
    assert rows(warehouse, "SELECT count(*) FROM ops.quarantine") == [(1,)]


def test_records_without_id_or_with_broken_text_are_set_aside(warehouse: Warehouse) -> None:
    put(warehouse, PATIENTS, [{"first_name": "A"}, {"first_name": "B"}, {"id": "3", "first_name": "\udc00"}])
    assert sorted(rows(warehouse, "SELECT reason FROM ops.quarantine")) == [
        ("the record has no id",),
        ("the record has no id",),
        ("the record holds text that is not Unicode",),
    ]


@pytest.mark.parametrize(("written", "stored"), [("3", 3), (3, 3), ("3.0", 3), ("", None), (None, None)])
def test_whole_numbers_have_several_forms(warehouse: Warehouse, written: Any, stored: int | None) -> None:
    put(warehouse, ORDERS, [order(1, line_items=[{"variant_id": "v", "quantity": written}])])
    assert rows(warehouse, "SELECT quantity FROM core.order_line_items") == [(stored,)]


@pytest.mark.parametrize("written", ["1.5", 1.5, "many", "9999999999999999999999999999999"])
def test_a_number_that_would_be_rounded_is_set_aside(warehouse: Warehouse, written: Any) -> None:
    put(warehouse, ORDERS, [order(1, line_items=[{"variant_id": "v", "quantity": written}])])
    assert rows(warehouse, "SELECT count(*) FROM core.order_line_items") == [(0,)]
    assert rows(warehouse, "SELECT reason FROM ops.quarantine") == [("quantity is not a whole number",)]


@pytest.mark.parametrize("written", ["12.5", 12.5, "12.50%", "$12.5", " 12.5 %"])
def test_a_discount_is_a_number_with_its_sign_too(warehouse: Warehouse, written: Any) -> None:
    put(warehouse, PATIENTS, [{"id": "1", "discount": written}])
    assert rows(warehouse, "SELECT discount::VARCHAR FROM core.patients") == [("12.5000",)]


def test_what_no_column_holds_is_kept(warehouse: Warehouse) -> None:
    put(warehouse, ORDERS, [order(1, new_key={"a": 1})])
    assert rows(warehouse, "SELECT extra::VARCHAR FROM core.orders") == [('{"new_key":{"a":1}}',)]


def test_a_price_that_is_no_number_keeps_its_word(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [{"id": "p", "variants": [{"id": "v", "msrp": "N/A"}, {"id": "w", "msrp": "19.99"}]}])
    assert rows(warehouse, "SELECT variant_id, msrp::VARCHAR, msrp_raw FROM core.variants ORDER BY 1") == [
        ("v", None, "N/A"),
        ("w", "19.9900", "19.99"),
    ]


def test_a_vanished_row_is_kept_and_returns(warehouse: Warehouse) -> None:
    put(warehouse, PATIENTS, [{"id": "1"}, {"id": "2"}])
    assert put(warehouse, PATIENTS, [{"id": "1"}], 1, EVERYTHING).removed == 1
    assert rows(warehouse, "SELECT patient_id FROM core.patients WHERE removed_at IS NOT NULL") == [("2",)]
    put(warehouse, PATIENTS, [{"id": "1"}, {"id": "2"}], 2, EVERYTHING)
    assert rows(warehouse, "SELECT count(*) FROM core.patients WHERE removed_at IS NULL") == [(2,)]


def test_ids_are_never_sql_text(warehouse: Warehouse) -> None:
    odd = "x') OR true --"
    plans = [plan("1", id="p1", patient={"id": odd}), plan("1", id="p2", patient={"id": "y"})]
    put(warehouse, TREATMENT_PLANS, plans)
    put(warehouse, TREATMENT_PLANS, [], 1, Among(column="patient_id", ids=[odd]))
    assert rows(warehouse, "SELECT treatment_plan_id FROM core.treatment_plans WHERE removed_at IS NULL") == [("p2",)]


def test_absence_counts_only_among_what_was_listed(warehouse: Warehouse) -> None:
    put(warehouse, TREATMENT_PLANS, [plan("1"), plan("1", id="p2", patient={"id": "y"})])
    put(warehouse, TREATMENT_PLANS, [], 1, Among(column="patient_id", ids=["x"]))
    assert rows(warehouse, "SELECT treatment_plan_id FROM core.treatment_plans WHERE removed_at IS NULL") == [("p2",)]
    assert rows(warehouse, "SELECT count(*) FROM core.recommendations WHERE removed_at IS NULL") == [(1,)]


def test_only_the_line_that_changed_gets_a_new_version(warehouse: Warehouse) -> None:
    put(warehouse, TREATMENT_PLANS, [plan("1", "2")])
    put(warehouse, TREATMENT_PLANS, [plan("1", "3")], 1)
    put(warehouse, TREATMENT_PLANS, [plan("1")], 2)
    assert rows(
        warehouse,
        "SELECT position, dosage_amount, hour(valid_from), hour(valid_to), removed_at IS NOT NULL "
        "FROM history.recommendations ORDER BY position, valid_from",
    ) == [(0, "1", 0, None, False), (1, "2", 0, 1, False), (1, "3", 1, 2, False), (1, "3", 2, None, True)]


def test_a_variant_that_moves_to_another_product_has_one_open_version(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [{"id": "a", "variants": [{"id": "v"}]}, {"id": "b", "variants": []}])
    put(warehouse, PRODUCTS, [{"id": "b", "variants": [{"id": "v"}]}], 1)
    put(warehouse, PRODUCTS, [{"id": "a", "variants": []}], 2)
    assert rows(warehouse, "SELECT variant_id, product_id, removed_at FROM core.variants") == [("v", "b", None)]


def test_a_variant_alone_knows_its_product_from_its_own_record(warehouse: Warehouse) -> None:
    put(warehouse, VARIANTS, [{"id": "v", "product": {"id": "p", "name": "n"}}, {"id": "w", "product": {"name": "n"}}])
    assert rows(warehouse, "SELECT variant_id, product_id FROM core.variants ORDER BY 1") == [("v", "p"), ("w", None)]


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ({"state": "purchased"}, "purchased"),
        ({"status": "results_received"}, "partial_results"),
        ({"state": "all_results_received"}, "results_ready"),
        ({"state": "teleported"}, "teleported"),
    ],
)
def test_lab_states_have_the_words_of_the_rest_api(warehouse: Warehouse, record: Record, state: str) -> None:
    whole = {"id": "l", "patient_id": "p", "practitioner_id": "d", "tests": [{"id": 7, "name": "Zinc"}]}
    put(warehouse, LAB_ORDERS, [{**whole, "results": [{"id": "r", **record}], **record}])
    assert rows(warehouse, "SELECT state, state_raw FROM core.lab_orders") == [(state, next(iter(record.values())))]
    (test,) = rows(warehouse, "SELECT lab_test_id, name, patient_id, practitioner_id FROM core.lab_order_tests")
    assert test == ("7", "Zinc", "p", "d")
    assert rows(warehouse, "SELECT name, patient_id, state FROM core.lab_order_results") == [("Zinc", "p", state)]


variant_sets = st.dictionaries(st.sampled_from("uvwx"), st.integers(0, 2), max_size=4)
snapshots = st.lists(st.dictionaries(st.sampled_from("abc"), variant_sets, max_size=3), min_size=1, max_size=5)


def products_of(snapshot: dict[str, dict[str, int]]) -> list[Record]:
    # A variant id belongs to one product, as the vendor's ids do.
    return [
        {"id": p, "variants": [{"id": f"{p}-{v}", "msrp": str(price)} for v, price in variants.items()]}
        for p, variants in snapshot.items()
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(snapshots)
@pytest.mark.check_all
def test_history_gives_every_snapshot_back(warehouse: Warehouse, taken: list[dict[str, dict[str, int]]]) -> None:
    with warehouse.write() as con:
        con.execute("DELETE FROM history.products")
        con.execute("DELETE FROM history.variants")
    for hour, snapshot in enumerate(taken):
        put(warehouse, PRODUCTS, products_of(snapshot), hour, EVERYTHING)
    for hour, snapshot in enumerate(taken):
        moment = f"TIMESTAMPTZ '2026-11-01 {hour:02d}:30:00+00'"
        as_of = f"valid_from <= {moment} AND (valid_to IS NULL OR valid_to > {moment}) AND removed_at IS NULL"
        assert rows(warehouse, f"SELECT product_id FROM history.products WHERE {as_of} ORDER BY 1") == [
            (p,) for p in sorted(snapshot)
        ]
        wanted = sorted((f"{p}-{v}", f"{price}.0000") for p, vs in snapshot.items() for v, price in vs.items())
        found = f"SELECT variant_id, msrp::VARCHAR FROM history.variants WHERE {as_of} ORDER BY 1"
        assert rows(warehouse, found) == wanted


def test_a_catalog_of_long_texts_loads_within_little_memory(warehouse: Warehouse) -> None:
    """DuckDB reads two thousand records at a time: with texts of some kB that once took more than a load may have."""
    variants = [{"id": f"v{n}", "sku": "s", "units": "60", "msrp": "12.50", "more": "y" * 100} for n in range(3)]
    whole = {"description_html": "<p>word & </p>" * 600, "dosage": {"format": "capsule"}, "images": [{"url": "x"}]}
    records = [
        {"id": f"p{n}", "name": "n", **whole, "variants": [{**one, "id": f"{n}-{one['id']}"} for one in variants]}
        for n in range(2500)
    ]
    lines = lines_of(records)
    with warehouse.write() as con:
        counts = load(con, PRODUCTS, lines, context(), size=Size().plus([line.record for line in lines()]))
    assert (counts.added, counts.quarantined) == (2500, 0)
    assert rows(warehouse, "SELECT count(*) FROM core.variants") == [(7500,)]


def test_thousands_of_plans_with_many_recommendations_load_within_little_memory(warehouse: Warehouse) -> None:
    """Taking two thousand arrays apart at once took more than a load may have; they are taken a few at a time."""
    instructions = "with food " * 40
    lines = lines_of([plan(*[f"{n} {k} {instructions}" for k in range(8)], id=f"p{n}") for n in range(3000)])
    with warehouse.write() as con:
        size = Size().plus([line.record for line in lines()])
        counts = load(con, TREATMENT_PLANS, lines, context(), size=size)
    assert (counts.added, counts.quarantined) == (3000, 0)
    stored = "SELECT treatment_plan_id, position, dosage_amount FROM core.recommendations ORDER BY ALL"
    expected = sorted((f"p{n}", k, f"{n} {k} {instructions}") for n in range(3000) for k in range(8))
    assert rows(warehouse, stored) == expected
