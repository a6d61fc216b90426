"""Promise 35: one bad value costs one value. Its column is NULL, its text stays in `extra`, its name is noted."""

from typing import Any

import pytest

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.clinics import CLINICS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table, casts
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline.warehouse.upgrades.retyping import retype
from fullscript_pipeline_tests.helpers.warehouse_loads import put, rows
from fullscript_pipeline_tests.helpers.wrong_fields import SPELLINGS, cost

# What no figure can do without: the record, or the line, is set aside.
NEEDED = {"orders.completed_at", "order_line_items.quantity"}


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_a_wrong_spelling_costs_its_own_field_only(warehouse: Warehouse, table: Table) -> None:
    found = cost(warehouse, table)
    assert found.lost == []
    assert found.untold == []
    assert set(found.set_aside) <= NEEDED
    (set_aside,) = rows(warehouse, "SELECT count(*) FROM ops.quarantine")[0]
    assert set_aside == len(found.set_aside) < len(SPELLINGS)


@pytest.mark.parametrize(
    ("column", "sent", "value"),
    [
        ("archived", "f", False), ("archived", "T", True), ("archived", "n", False), ("archived", " on ", True),
        ("archived", "Off", False), ("archived", 1, True), ("archived", 0.0, False), ("archived", "maybe", None),
        ("archived", 2, None), ("total_discount", " 12.5 ", "12.5000"), ("total_discount", "1,299.00", "1299.0000"),
        ("total_discount", "10 %", "10.0000"), ("total_discount", "12,5", None), ("total_discount", 1e-3, "0.0010"),
        ("date_of_birth", " 1980-02-03 ", "1980-02-03"), ("date_of_birth", "1980-02-30", None),
        ("date_of_birth", "infinity", None), ("date_of_birth", "12026-01-01", None), ("date_of_birth", "3/4/80", None),
    ],
)  # fmt: skip
def test_what_can_mean_one_thing_is_read(warehouse: Warehouse, column: str, sent: Any, value: Any) -> None:
    put(warehouse, PATIENTS, [{"id": "p", "first_name": "Ada", column: sent}])
    told = value if isinstance(value, bool | None) else f"'{value}'"
    assert rows(warehouse, f"SELECT {column}, first_name FROM core.patients") == rows(
        warehouse, f"SELECT CAST({'NULL' if told is None else told} AS {_type_of(warehouse, column)}), 'Ada'"
    )
    noted = rows(warehouse, "SELECT object, what, detail FROM ops.drift")
    assert noted == ([] if value is not None else [("patients", "untyped", column)])


@pytest.mark.parametrize(
    ("sent", "value"),
    [("1,214", 1214), ("12,345,678", 12345678), (" 7 ", 7), (7.0, 7), ("1,214.00", 1214), ("1,21", None), ("1,5", None),
     ("1.214,00", None), (7.5, None), ("9" * 30, None), ("0x10", None), ("7 people", None)],
)  # fmt: skip
def test_counts_are_read_and_nothing_else(warehouse: Warehouse, sent: Any, value: int | None) -> None:
    put(warehouse, CLINICS, [{"id": "c1", "name": "Birch Lane", "patient_count": sent}])
    assert rows(warehouse, "SELECT name, patient_count FROM core.clinics") == [("Birch Lane", value)]


def test_more_decimals_than_fit_are_rounded_and_recorded_and_kept(warehouse: Warehouse) -> None:
    put(warehouse, CLINICS, [{"id": "c1", "name": "Birch Lane", "discount": 16.666666666666668}])
    assert rows(warehouse, "SELECT discount::VARCHAR, extra::VARCHAR FROM core.clinics") == [
        ("16.6667", '{"discount":16.666666666666668}')
    ]
    assert rows(warehouse, "SELECT object, what, detail, times FROM ops.drift") == [
        ("clinics", "rounded", "discount", 1)
    ]
    # When the vendor sends another, nothing is left of it but the note.
    assert put(warehouse, CLINICS, [{"id": "c1", "name": "Birch Lane", "discount": 16.6}], 1).untyped == 0
    assert rows(warehouse, "SELECT discount::VARCHAR, extra FROM core.clinics") == [("16.6000", None)]


@pytest.mark.parametrize(
    "zero", ["0000-00-00", "0001-01-01", "0001-01-01T00:00:00Z", "0000-00-00 00:00:00", " 0001-01-01T00:00:00-05:00"]
)
def test_a_zero_date_is_no_date(warehouse: Warehouse, zero: str) -> None:
    put(warehouse, PATIENTS, [{"id": "p", "date_of_birth": zero}])
    put(warehouse, TREATMENT_PLANS, [{"id": "t", "patient": {"id": "p"}, "available_at": zero, "created_at": zero}])
    assert rows(warehouse, "SELECT date_of_birth, extra->>'date_of_birth' FROM core.patients") == [(None, zero)]
    assert rows(warehouse, "SELECT available_at, created_at, created_on FROM core.treatment_plans") == [(None,) * 3]
    put(warehouse, ORDERS, [{"id": "o", "completed_at": zero, "line_items": []}])
    assert rows(warehouse, "SELECT completed_at, completed_at_raw FROM core.orders") == [(None, zero)]
    assert rows(warehouse, "SELECT reason FROM ops.quarantine") == []
    assert ("patients", "date_of_birth") in rows(
        warehouse, "SELECT object, detail FROM ops.drift WHERE what = 'untyped'"
    )


def test_times_that_no_calendar_of_ours_holds_are_no_times(warehouse: Warehouse) -> None:
    for place, far in enumerate(["9999-12-31T23:59:59-05:00", "12026-01-01T00:00:00Z", "infinity", "9999-12-31"]):
        put(warehouse, TREATMENT_PLANS, [{"id": f"t{place}", "patient": {"id": "p"}, "updated_at": far}])
    assert rows(warehouse, "SELECT DISTINCT updated_at, updated_on FROM core.treatment_plans") == [(None, None)]


def test_an_order_without_a_time_stays_as_it_is_stored(warehouse: Warehouse) -> None:
    order = {"id": "o", "completed_at": "2026-01-31T23:30:00Z", "line_items": [{"variant_id": "v", "quantity": 2}]}
    put(warehouse, ORDERS, [order])
    put(warehouse, ORDERS, [order | {"completed_at": "last week"}], 1)
    put(warehouse, ORDERS, [order | {"line_items": [{"variant_id": "v", "quantity": "two"}]}], 2)
    assert rows(warehouse, "SELECT completed_on::VARCHAR FROM core.orders") == [("2026-01-31",)]
    assert rows(warehouse, "SELECT quantity FROM core.order_line_items") == [(2,)]


def test_a_later_version_types_what_is_in_extra(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    put(warehouse, PATIENTS, [{"id": "p", "archived": "faux", "discount": "1.23456"}, {"id": "q", "archived": True}])
    with warehouse.write() as con:
        assert retype(con) == 0
    monkeypatch.setattr(casts, "_NO", (*casts._NO, "faux"))
    with warehouse.write() as con:
        assert retype(con) == 1
    assert rows(warehouse, "SELECT patient_id, archived, discount::VARCHAR, extra::VARCHAR FROM core.patients") == [
        ("p", False, "1.2346", '{"discount":"1.23456"}'),
        ("q", True, None, None),
    ]


def test_an_upgrade_leaves_what_cannot_be_typed_where_it_is(warehouse: Warehouse) -> None:
    put(warehouse, PATIENTS, [{"id": "p", "archived": "faux", "discount": "1.23456", "gender": "f"}])
    before = rows(warehouse, "SELECT * EXCLUDE (archived) FROM core.patients")
    with warehouse.write() as con:
        con.execute("ALTER TABLE core.patients DROP COLUMN archived")
        con.execute("UPDATE ops.schema_version SET made_from = 'an older description'")
    migrate(warehouse, [])
    assert rows(warehouse, "SELECT * EXCLUDE (archived) FROM core.patients") == before
    assert rows(warehouse, "SELECT archived, extra->>'archived' FROM core.patients") == [(None, "faux")]


def _type_of(warehouse: Warehouse, column: str) -> str:
    (kind,) = rows(warehouse, f"SELECT data_type FROM duckdb_columns() WHERE column_name = '{column}' LIMIT 1")[0]
    return str(kind)
