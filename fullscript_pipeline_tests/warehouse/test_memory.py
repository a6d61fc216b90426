"""What a load may take of memory knows what is stored, until the transaction ends."""

import duckdb
import pytest

from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.warehouse import memory
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Size
from fullscript_pipeline_tests.helpers.warehouse_loads import Record, put, rows

BLOCKS = 200
LIMIT = "SELECT (regexp_extract(current_setting('memory_limit'), '[0-9]+')::INTEGER * 1.048576)::INTEGER"


def fill(warehouse: Warehouse) -> None:
    with warehouse.write() as con:
        con.execute(
            "INSERT INTO core.orders BY NAME SELECT 'c1' AS clinic_id, 'o' || i AS order_id FROM range(?) AS t(i)",
            [BLOCKS * 2_048],
        )


def limit(con: duckdb.DuckDBPyConnection) -> int:
    (megabytes,) = con.execute(LIMIT).fetchone() or (0,)
    return int(megabytes)


def test_the_limit_knows_what_is_stored(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(warehouse)
    with warehouse.read() as con:
        assert limit(con) == pytest.approx(200, abs=2)
    monkeypatch.setattr(memory, "_DELETED_LIST", 10**6)
    detach_all()
    for opened in (warehouse.read, warehouse.write):
        with opened() as con:
            assert limit(con) == pytest.approx(100 + BLOCKS, abs=2)
            with memory.memory_limit_for_load(con, ORDERS, Size()):
                assert limit(con) == pytest.approx(memory.needed_megabytes(ORDERS, Size()) + BLOCKS, abs=5)
            with memory.memory_limit_for_load(con, PATIENTS, Size()):
                assert limit(con) == pytest.approx(100 + BLOCKS, abs=2)  # it needs no more than the usual limit
                memory.allow_more(con, ORDERS)
                assert limit(con) > BLOCKS
            assert limit(con) == pytest.approx(100 + BLOCKS, abs=2)


def test_a_load_has_what_it_needs_beside_what_the_transaction_holds(warehouse: Warehouse) -> None:
    fill(warehouse)
    with warehouse.write() as con:
        # A list for every block, until the end.
        con.execute("DELETE FROM core.orders WHERE rowid % 2048 = 7")
        with memory.memory_limit_for_load(con, PATIENTS, Size()):
            held = BLOCKS * 16_384 / 10**6
            assert limit(con) > memory.needed_megabytes(PATIENTS, Size()) + held - 2


def test_after_a_load_that_failed_the_limit_is_as_usual(warehouse: Warehouse) -> None:
    with (
        pytest.raises(duckdb.Error, match="as if"),
        warehouse.write() as con,
        memory.memory_limit_for_load(con, ORDERS, Size(1, 10**8, 10**8)),
    ):
        con.execute("SELECT error('as if out of memory')")
    with warehouse.write() as con:
        assert limit(con) == pytest.approx(200, abs=2)


def test_a_line_that_is_the_same_is_left_alone(warehouse: Warehouse) -> None:
    def orders(quantity: int) -> list[Record]:
        lines = [{"variant_id": "v", "quantity": 1}, {"variant_id": "w", "quantity": quantity}]
        return [{"id": f"o{number}", "line_items": lines} for number in range(60)]

    put(warehouse, ORDERS, orders(1))
    put(warehouse, ORDERS, orders(2), 1)
    stored = "SELECT position, quantity, hour(observed_at), count(*) FROM core.order_line_items GROUP BY ALL ORDER BY 1"
    assert rows(warehouse, stored) == [(0, 1, 0, 60), (1, 2, 1, 60)]


def test_the_need_is_computed_from_what_arrives() -> None:
    small, long = (
        memory.needed_megabytes(ORDERS, Size()),
        memory.needed_megabytes(ORDERS, Size(700_000, 700_000 * 500, 2_000)),
    )
    assert small < 100 < long < 300
    assert memory.needed_megabytes(ORDERS, Size(10, 10**9, 10**9)) == memory.MOST_MB
