"""What a wrong clock has left in the warehouse moves back: versions stay gapless and in order, the past stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline import clock
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.future_stamps import (
    count_future,
    future_instants,
    move_back,
    stamp_columns,
)
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.load_context import Counts
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.warehouse_loads import START, context, lines_of

NOW = START + timedelta(hours=100)
ORDERED = """SELECT product_id, content_hash, removed_at IS NULL FROM history.products
    ORDER BY product_id, valid_from, known_at"""
STAMPS = "SELECT valid_from, valid_to, known_at, observed_at, removed_at FROM history.products ORDER BY ALL"
# A version begins where the one before ends, none is empty, and one is open.
BROKEN = """SELECT count(*) FROM (SELECT valid_from, valid_to, known_at,
    lead(valid_from) OVER w AS following, lead(known_at) OVER w AS known_after FROM history.{table}
    WINDOW w AS (PARTITION BY region, {key} ORDER BY valid_from))
    WHERE valid_to IS DISTINCT FROM following OR valid_from >= valid_to OR known_at >= known_after"""

names = st.sampled_from(["A", "B", "C"])
worlds = st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), names)
# Hours since START of each observation, past and far ahead, some a second look at the same hour's clock.
histories = st.lists(
    st.tuples(st.one_of(st.integers(0, 99), st.integers(101, 90_000)), worlds), min_size=1, max_size=7
).map(lambda steps: sorted(steps, key=lambda step: step[0]))


def product(product_id: str, name: str) -> dict[str, Any]:
    return {"id": product_id, "name": name, "variants": [{"id": f"{product_id}-v", "sku": name}]}


def repaired(warehouse: Warehouse) -> int:
    """As `clock repair` does it; how many times were moved."""
    with warehouse.write() as con:
        ahead, last = future_instants(con, NOW)
        move_back(con, NOW, clock.moved_times(ahead, NOW, after=last), NOW.date())
        return len(ahead)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    made = Warehouse(tmp_path_factory.mktemp("future") / "w.duckdb")
    migrate(made, mart_ddl())
    return made


def observe(warehouse: Warehouse, world: dict[str, str], hour: int) -> Counts:
    """The whole catalog is looked at: what it lacks is gone."""
    with warehouse.write() as con:
        gone = [key for key in ("p1", "p2", "p3") if key not in world]
        return load(con, PRODUCTS, lines_of([product(*one) for one in world.items()]), context(hour), gone=gone)


@pytest.mark.check_all
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_any_history_moves_back_in_order(warehouse: Warehouse, steps: list[tuple[int, dict[str, str]]]) -> None:
    with warehouse.write() as con:
        for table, _ in KEYS:
            con.execute(f"DELETE FROM history.{table}")
    for hour, world in steps:
        observe(warehouse, world, hour)
    with warehouse.read() as con:
        order, before = con.execute(ORDERED).fetchall(), con.execute(STAMPS).fetchall()
        assert [con.execute(BROKEN.format(table=t, key=k)).fetchone() for t, k in KEYS] == [(0,), (0,)]
    repaired(warehouse)
    with warehouse.read() as con:
        after = con.execute(STAMPS).fetchall()
        assert con.execute(ORDERED).fetchall() == order
        assert [con.execute(BROKEN.format(table=t, key=k)).fetchone() for t, k in KEYS] == [(0,), (0,)]
        assert count_future(con, NOW, NOW.date()) == {}
        pairs = [pair for rows in zip(before, after, strict=True) for pair in zip(*rows, strict=True)]
        assert all(old == new for old, new in pairs if old is None or old <= NOW)
        assert all(
            new is not None and old > new > NOW - timedelta(seconds=1) for old, new in pairs if old and old > NOW
        )
        seen = con.execute("SELECT count(*) FROM history.products_as_of(?) WHERE removed_at IS NULL", [NOW]).fetchone()
        assert seen == con.execute("SELECT count(*) FROM core.products WHERE removed_at IS NULL").fetchone()
    assert repaired(warehouse) == 0
    # And the next load goes on from there.
    counts = observe(warehouse, {"p1": "D"}, 101)
    assert counts.added + counts.changed == 1


KEYS = (("products", "product_id"), ("variants", "variant_id"))


def test_times_of_the_vendor_and_days_that_are_computed_are_not_ours(warehouse: Warehouse) -> None:
    with warehouse.read() as con:
        ours = {f"{one.table}.{one.name}" for one in stamp_columns(con)}
    assert {"ops.pulls.observed_at", "ops.pulls.day", "history.treatment_plans.known_at"} <= ours
    assert {"core.events.processed_at", "ops.held_removals.missing_since", "core.orders.removed_at"} <= ours
    vendors = {"core.orders.completed_at", "history.treatment_plans.available_at", "core.patients.date_of_birth"}
    assert not ours & {*vendors, "core.events.created_at", "marts.adherence.run_out_on"}


def test_when_a_pull_really_ran_is_not_future_where_the_data_is_of_an_earlier_day(warehouse: Warehouse) -> None:
    really = clock.real_now()

    def pulls_to_come(now: datetime) -> int:
        with warehouse.read() as con:
            assert really not in future_instants(con, now)[0]
            return count_future(con, now, now.date()).get("ops.pulls", 0)

    with warehouse.write() as con:
        con.execute(
            "INSERT INTO ops.pulls (pull_id, day, observed_at, started_at, finished_at) VALUES ('p', ?, ?, ?, ?)",
            [START.date(), START, really, really],
        )
    assert [pulls_to_come(START), pulls_to_come(START - timedelta(hours=1))] == [0, 1]
    with warehouse.write() as con:
        con.execute("UPDATE ops.pulls SET finished_at = ?", [really + timedelta(days=9)])
    assert pulls_to_come(START) == 1
    with warehouse.write() as con:
        con.execute("DELETE FROM ops.pulls")


def test_future_days_become_today_and_what_is_recreated_is_deleted(warehouse: Warehouse) -> None:
    today, ahead = NOW.date(), NOW.date() + timedelta(days=3652)
    with warehouse.write() as con:
        con.execute("INSERT INTO ops.order_sweeps VALUES ('c1', ?, ?)", [today - timedelta(days=9), ahead])
        for read in (NOW, NOW + timedelta(days=3652)):
            con.execute("INSERT INTO ops.patient_reads VALUES ('c1', 'p1', ?)", [read])
        for day in (today, ahead):
            con.execute("INSERT INTO marts.catalog_digests VALUES ('us', ?, ?, NULL, NULL)", [day, today])
    repaired(warehouse)
    with warehouse.read() as con:
        assert con.execute("SELECT * FROM ops.order_sweeps").fetchall() == [("c1", today - timedelta(days=9), today)]
        assert con.execute("SELECT day FROM marts.catalog_digests").fetchall() == [(today,)]
        assert con.execute("SELECT plans_read_at FROM ops.patient_reads").fetchall() == [(NOW,)]


def test_the_new_times_follow_the_last_true_one_and_each_other() -> None:
    ahead = [datetime(2036, 1, day, tzinfo=UTC) for day in (3, 1, 2)]
    step = timedelta(microseconds=1)
    moved = clock.moved_times(ahead, NOW)
    assert [moved[one] for one in sorted(ahead)] == [NOW - 2 * step, NOW - step, NOW]
    late = clock.moved_times(ahead, NOW, after=NOW - step)
    assert [late[one] for one in sorted(ahead)] == [NOW, NOW + step, NOW + 2 * step]
    assert clock.moved_times([], NOW, after=NOW) == {}
