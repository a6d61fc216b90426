"""Promise 10: one poison record never blocks the rest; it is told, never taken for gone, and gets out when it can."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDER_LINE_ITEMS, ORDERS
from fullscript_pipeline.resources.types import Kind, Table, text
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Size
from fullscript_pipeline.warehouse.loading import load, quarantine
from fullscript_pipeline.warehouse.loading.quarantine_replay import Replayed, replay
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING, Among
from fullscript_pipeline_tests.helpers.broken_records import BROKEN
from fullscript_pipeline_tests.helpers.warehouse_loads import START, Record, context, lines_of, put, rows

OPEN = "SELECT record_key, reason FROM ops.quarantine WHERE resolved_at IS NULL ORDER BY 1"
RESOLVED = "SELECT record_key, resolution FROM ops.quarantine WHERE resolved_at IS NOT NULL ORDER BY 1"
TOP = [table for table in ALL_TABLES if not table.by_position]


def order(number: int, **changes: Any) -> Record:
    return {"id": f"o{number}", "completed_at": "2026-01-31T23:30:00Z", "line_items": [{"quantity": 1}]} | changes


@pytest.mark.parametrize("table", TOP, ids=lambda table: table.name)
def test_one_malformed_in_a_hundred_of_every_table(warehouse: Warehouse, table: Table) -> None:
    broken = next(iter(BROKEN.values()))[0]
    records = [{"id": f"x{number}", "name": "n"} for number in range(100)]
    records[50] = broken(records[50])
    if strict := next((one for one in table.columns if one.strict and not one.sql and one.kind is Kind.INSTANT), None):
        records[51][strict.source[0]] = "yesterday"
    bad = 1 + (strict is not None)
    with warehouse.write() as con:
        counts = load(con, table, lines_of(records, "parent"), context())
    assert (counts.added, counts.quarantined) == (100 - bad, bad)
    assert rows(warehouse, f"SELECT count(*) FROM {table.stored_in}") == [(100 - bad,)]
    assert len(rows(warehouse, OPEN)) == bad


@pytest.mark.parametrize("how", BROKEN)
def test_every_kind_of_poison_has_its_reason(warehouse: Warehouse, how: str) -> None:
    spoil, reason = BROKEN[how]
    counts = put(warehouse, ORDERS, [order(1), spoil(order(2)), order(3)])
    assert counts.quarantined == 1
    assert [told for _, told in rows(warehouse, OPEN)] == [reason]
    assert rows(warehouse, "SELECT order_id FROM core.orders ORDER BY 1") == [("o1",), ("o3",)]


def test_a_record_as_large_as_an_answer_may_be_goes_to_quarantine(warehouse: Warehouse) -> None:
    lines = lines_of([order(1), order(2, zzz="x" * 60_000_000)])
    with warehouse.write() as con:
        load(con, ORDERS, lines, context(), size=Size().plus([line.record for line in lines()]))
    assert rows(warehouse, "SELECT record_key, length(record) > 60_000_000 FROM ops.quarantine") == [("o2", True)]
    assert rows(warehouse, "SELECT order_id FROM core.orders") == [("o1",)]


@pytest.mark.parametrize("line", [None, 7, "x", [], {"quantity": "many"}])
def test_one_poison_line_leaves_its_order_and_the_other_lines(warehouse: Warehouse, line: Any) -> None:
    put(warehouse, ORDERS, [order(1, line_items=[{"quantity": 1}, line, {"quantity": 3}])])
    assert rows(warehouse, "SELECT position, quantity FROM core.order_line_items ORDER BY 1") == [(0, 1), (2, 3)]
    assert [key for key, _ in rows(warehouse, OPEN)] == ["o1/1"]
    put(warehouse, ORDERS, [order(1, line_items=[{"quantity": 1}, {"quantity": 2}, {"quantity": 3}])], 1)
    assert rows(warehouse, RESOLVED) == [("o1/1", "loaded")]


@pytest.mark.parametrize("how", ["lone surrogate", "too large"])
def test_an_object_in_quarantine_is_not_gone(warehouse: Warehouse, how: str) -> None:
    put(warehouse, ORDERS, [order(1), order(2)], missing_among=EVERYTHING)
    put(warehouse, ORDERS, [order(1), BROKEN[how][0](order(2))], 1, missing_among=EVERYTHING)
    assert rows(warehouse, "SELECT count(*) FROM core.orders WHERE removed_at IS NULL") == [(2,)]
    # Fixed at the source, as it was before: nothing differs from what is stored, and it is out all the same.
    assert put(warehouse, ORDERS, [order(1), order(2)], 2, missing_among=EVERYTHING).changed == 0
    assert rows(warehouse, RESOLVED) == [("o2", "loaded")]


def test_another_broken_shape_takes_the_place_of_the_first(warehouse: Warehouse) -> None:
    put(warehouse, ORDERS, [order(1, completed_at="yesterday")])
    put(warehouse, ORDERS, [order(1, completed_at="today")], 1)
    assert len(rows(warehouse, OPEN)) == 1
    assert rows(warehouse, RESOLVED) == [("o1", "superseded")]


def test_what_is_no_longer_listed_is_out(warehouse: Warehouse) -> None:
    put(warehouse, ORDERS, [order(1), order(2, completed_at="yesterday")], missing_among=EVERYTHING)
    put(warehouse, ORDERS, [order(1)], 1, missing_among=Among(column="patient_id", ids=["p1"]))
    assert len(rows(warehouse, OPEN)) == 1
    put(warehouse, ORDERS, [order(1)], 2, missing_among=EVERYTHING)
    assert rows(warehouse, RESOLVED) == [("o2", "gone")]


def test_replay_loads_what_the_program_now_can_type(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [order(1, completed_at="yesterday"), {"first": "no id"}, order(2, line_items=[{"quantity": "2 packs"}])]
    put(warehouse, ORDERS, records)
    assert again(warehouse) == [
        Replayed(table="order_line_items", clinic_id="c1", loaded=0, left=1),
        Replayed(table="orders", clinic_id="c1", loaded=0, left=2),
    ]
    # A later version of the program knows better.
    lines = replace(ORDER_LINE_ITEMS, columns=(text("quantity"), *ORDER_LINE_ITEMS.columns[2:]))
    orders = replace(ORDERS, columns=tuple(replace(one, strict=False) for one in ORDERS.columns))
    for table in (orders, lines):
        monkeypatch.setitem(replay.__globals__["_TABLES"], table.name, table)
    with warehouse.maintain() as con:
        con.execute("ALTER TABLE core.order_line_items ALTER quantity TYPE VARCHAR")
    assert again(warehouse) == [
        Replayed(table="order_line_items", clinic_id="c1", loaded=1, left=0),
        Replayed(table="orders", clinic_id="c1", loaded=1, left=1),
    ]
    assert rows(warehouse, "SELECT order_id FROM core.orders ORDER BY 1") == [("o1",), ("o2",)]
    assert rows(warehouse, "SELECT order_id, position, quantity FROM core.order_line_items ORDER BY 1") == [
        ("o1", 0, "1"),
        ("o2", 0, "2 packs"),
    ]
    assert rows(warehouse, RESOLVED) == [("o1", "replayed"), ("o2/0", "replayed")]
    assert [reason for _, reason in rows(warehouse, OPEN)] == ["the record has no id"]


def test_a_line_that_is_named_after_its_parent_is_replayed_without_it(warehouse: Warehouse) -> None:
    put(warehouse, LAB_ORDERS, [{"id": "l1", "name": "Panel", "results": [{"id": "r1"}, "no object"]}])
    assert rows(warehouse, "SELECT name FROM core.lab_order_results") == [("Panel",)]
    assert again(warehouse) == [Replayed(table="lab_order_results", clinic_id="c1", loaded=0, left=1)]


def test_the_landed_day_of_an_open_record_is_named(warehouse: Warehouse) -> None:
    put(warehouse, ORDERS, [order(1, completed_at="yesterday")])
    with warehouse.write() as con:
        con.execute(
            "INSERT INTO ops.pulls BY NAME "
            "SELECT DISTINCT pull_id, clinic_id, 'us' AS region, DATE '2026-11-22' AS day "
            "FROM ops.quarantine"
        )
        con.execute("INSERT INTO core.clinics BY NAME SELECT 'c1' AS clinic_id, 'acme' AS clinic_key")
        assert quarantine.landed_days(con) == {("acme", "2026-11-22")}
    put(warehouse, ORDERS, [order(1)], 1)
    with warehouse.read() as con:
        assert quarantine.landed_days(con) == frozenset()


def again(warehouse: Warehouse) -> list[Replayed]:
    with warehouse.write() as con:
        return sorted(replay(con, START + timedelta(hours=5), {"c1": "acme"}), key=lambda one: one.table)
