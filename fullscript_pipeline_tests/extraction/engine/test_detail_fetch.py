"""Which details are read again: changed rows and moving ones at once, everything else within the sweep."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullscript_pipeline.extraction.engine.detail_fetch import ids_due_for_refetch
from fullscript_pipeline.extraction.pulls.orders import Window, sweep_window
from fullscript_pipeline.warehouse.loading.removal_scope import Among

TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA ops; CREATE SCHEMA core")
    connection.execute(
        "CREATE TABLE ops.detail_reads (clinic_id VARCHAR, resource VARCHAR, object_id VARCHAR, list_hash VARCHAR, "
        "found BOOLEAN, read_at TIMESTAMPTZ)"
    )
    connection.execute("CREATE TABLE ops.order_sweeps (clinic_id VARCHAR, swept_through DATE, swept_on DATE)")
    connection.execute(
        "CREATE TABLE core.orders (clinic_id VARCHAR, order_id VARCHAR, completed_on DATE, removed_at TIMESTAMPTZ)"
    )
    yield connection
    connection.close()


def read(con: duckdb.DuckDBPyConnection, ids: list[str], day: int, list_hash: str = "h") -> None:
    for one in ids:
        con.execute("DELETE FROM ops.detail_reads WHERE object_id = ?", [one])
        con.execute(
            "INSERT INTO ops.detail_reads VALUES ('c', 'labs', ?, ?, true, ?)",
            [one, list_hash, TODAY + timedelta(days=day)],
        )


def test_new_changed_and_moving_ones_are_read_at_once(con: duckdb.DuckDBPyConnection) -> None:
    listed = {str(number): "h" for number in range(10)}
    assert ids_due_for_refetch(con, "c", "labs", listed) == list(listed)
    read(con, list(listed), 0)
    listed |= {"3": "other", "new": "h"}
    assert set(ids_due_for_refetch(con, "c", "labs", listed, always=["7"], sweep_days=14)) >= {"3", "7", "new"}
    assert len(ids_due_for_refetch(con, "c", "labs", listed, always=["7"], sweep_days=14)) == 4


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 40), sweep_days=st.integers(1, 20))
def test_everything_is_read_again_within_the_sweep(count: int, sweep_days: int) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA ops")
        con.execute(
            "CREATE TABLE ops.detail_reads (clinic_id VARCHAR, resource VARCHAR, object_id VARCHAR, "
            "list_hash VARCHAR, found BOOLEAN, read_at TIMESTAMPTZ)"
        )
        listed = {str(number): "h" for number in range(count)}
        read(con, list(listed), 0)
        seen: set[str] = set()
        for day in range(1, sweep_days + 1):
            due = ids_due_for_refetch(con, "c", "labs", listed, sweep_days=sweep_days)
            seen.update(due)
            read(con, due, day)
        assert seen == set(listed)


@pytest.mark.parametrize("gaps", [[1] * 20, [1, 3, 1, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [30, 1]])
def test_old_orders_are_listed_again_within_the_sweep_without_a_day_left_out(
    con: duckdb.DuckDBPyConnection, gaps: list[int]
) -> None:
    first = TODAY.date() - timedelta(days=400)
    days = [first + timedelta(days=number) for number in range(0, 400, 7)]
    for number, day in enumerate(days):
        con.execute("INSERT INTO core.orders VALUES ('c', ?, ?, NULL)", [str(number), day])
    today, old, seen = TODAY.date(), [day for day in days if day < TODAY.date() - timedelta(days=60)], set()
    for gap in gaps:
        window = sweep_window(con, "c", today, trailing_days=60, sweep_days=14)
        assert window is not None
        covered = {day for day in days if (window.first or first) <= day <= (window.last or today)}
        seen |= covered
        con.execute("DELETE FROM ops.order_sweeps")
        con.execute("INSERT INTO ops.order_sweeps VALUES ('c', ?, ?)", [window.last, today])
        assert sweep_window(con, "c", today, trailing_days=60, sweep_days=14) is None, "once a day is enough"
        today += timedelta(days=gap)
    assert len(gaps) < 14 or seen >= set(old)


def test_without_older_history_there_is_nothing_to_sweep(con: duckdb.DuckDBPyConnection) -> None:
    assert sweep_window(con, "c", TODAY.date()) is None
    con.execute("INSERT INTO core.orders VALUES ('c', '1', ?, NULL)", [TODAY.date()])
    assert sweep_window(con, "c", TODAY.date()) is None


def test_a_window_asks_for_two_days_more_than_it_judges() -> None:
    day = TODAY.date()
    assert Window(first=day, last=day).params()["completed_at"] == "2026-11-20..2026-11-24"
    assert Window(first=day).params()["completed_at"] == ">2026-11-20"
    assert Window(first=None, last=day).params()["completed_at"] == "<2026-11-24"
    assert "completed_at" not in Window().params()
    assert Window(first=day, last=day).among() == Among(column="completed_on", first=day, last=day)
