"""A version counts from the event that told of it, else from when it was seen; any past instant can be asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.resources.brands import BRANDS
from fullscript_pipeline.resources.events import EVENTS
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline.warehouse.schema.as_of_views import as_of
from fullscript_pipeline_tests.helpers.warehouse_loads import START, Record, context, lines_of, put, rows


def plan(*variants: str, state: str = "active") -> Record:
    return {"id": "p1", "state": state, "recommendations": [{"variant_id": one} for one in variants]}


def event(hours: float, kind: str = "treatment_plan.updated", about: str = "p1") -> Record:
    """As `extraction` hands it on: with the object it is about."""
    at = (START + timedelta(hours=hours)).isoformat()
    return {"id": f"e{hours}", "type": kind, "created_at": at, "resource_id": about}


def spans(warehouse: Warehouse, table: str, columns: str = "state") -> list[tuple[Any, ...]]:
    """Columns, begin, end and when it was learned, in hours after the start."""

    def hours(column: str) -> str:
        return f"epoch({column} - TIMESTAMPTZ '{START:%Y-%m-%d %H:%M:%S}+00') / 3600 AS {column}"

    return rows(
        warehouse,
        f"SELECT {columns}, {hours('valid_from')}, {hours('valid_to')}, {hours('known_at')} FROM history.{table} "
        "ORDER BY ALL",
    )


def test_a_change_counts_from_its_event(warehouse: Warehouse) -> None:
    put(warehouse, TREATMENT_PLANS, [plan("v1", "v2")])
    put(warehouse, EVENTS, [event(3), event(7.5), event(30)], 24)
    put(warehouse, TREATMENT_PLANS, [plan("v1", "v3", state="cancelled")], 24)
    assert spans(warehouse, "treatment_plans") == [("active", 0, 7.5, 0), ("cancelled", 7.5, None, 24)]
    assert spans(warehouse, "recommendations", "position, variant_id") == [
        (0, "v1", 0, None, 0),
        (1, "v2", 0, 7.5, 0),
        (1, "v3", 7.5, None, 24),
    ]


def test_without_an_event_it_counts_from_when_it_was_seen(warehouse: Warehouse) -> None:
    put(warehouse, EVENTS, [event(-5), event(3, about="another"), event(4, "order.placed")], 24)
    put(warehouse, TREATMENT_PLANS, [plan("v1")])
    put(warehouse, TREATMENT_PLANS, [plan("v1", state="cancelled")], 24)
    assert spans(warehouse, "treatment_plans") == [("active", 0, 24, 0), ("cancelled", 24, None, 24)]


def test_a_first_version_and_a_removal_count_from_when_they_were_noticed(warehouse: Warehouse) -> None:
    put(warehouse, EVENTS, [event(-5), event(3)], 24)
    put(warehouse, TREATMENT_PLANS, [plan("v1")])
    put(warehouse, TREATMENT_PLANS, [], 24, missing_among=EVERYTHING)
    assert spans(warehouse, "treatment_plans", "removed_at IS NULL") == [(False, 24, None, 24), (True, 0, 24, 0)]


@pytest.mark.check_all
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 9), st.sampled_from(["active", "cancelled", "gone"]), st.lists(st.floats(0.1, 8), max_size=2)
        ),
        max_size=4,
    )
)
def test_versions_of_a_key_never_overlap_and_leave_no_gap(
    warehouse: Warehouse, steps: list[tuple[int, str, list[float]]]
) -> None:
    hour = 0
    with warehouse.write() as con:
        for table in ("history.treatment_plans", "history.recommendations", "core.events", "ops.held_removals"):
            con.execute(f"DELETE FROM {table}")
        for number, (hours, state, told) in enumerate(steps):
            events = [event(hour + ago) | {"id": f"{number}/{ago}"} for ago in told]
            hour += hours
            load(con, EVENTS, lines_of(events), context(hour))
            listed = [] if state == "gone" else [plan("v1", *(["v2"] * (number % 2)), state=state)]
            load(con, TREATMENT_PLANS, lines_of(listed), context(hour), missing_among=EVERYTHING)
    for table, key in (("treatment_plans", "treatment_plan_id"), ("recommendations", "treatment_plan_id, position")):
        assert not rows(
            warehouse,
            f"""SELECT * FROM (SELECT *, lead(valid_from) OVER (PARTITION BY {key} ORDER BY valid_from) AS following
            FROM history.{table}) WHERE valid_to IS DISTINCT FROM following OR valid_from >= valid_to
            OR known_at < valid_from""",
        )


def test_any_past_instant_can_be_queried(warehouse: Warehouse) -> None:
    put(warehouse, LAB_ORDERS, [{"id": "l1", "state": "purchased"}])
    put(warehouse, EVENTS, [event(10, "lab_order.updated", "l1")], 24)
    put(warehouse, LAB_ORDERS, [{"id": "l1", "state": "results_ready"}], 24)
    with warehouse.read() as con:
        for hours, state in ((0, "purchased"), (9.9, "purchased"), (10, "results_ready"), (1000, "results_ready")):
            when = START + timedelta(hours=hours)
            assert as_of(con, "lab_orders", when).project("state").fetchall() == [(state,)]
            told = con.execute("SELECT state FROM history.lab_orders_as_of(?)", [when]).fetchall()
            assert told == [(state,)]
        assert as_of(con, "lab_orders", START - timedelta(hours=1)).fetchall() == []
        assert con.execute("SELECT count(*) FROM history.lab_orders_as_of('2026-11-02')").fetchone() == (1,)


def test_now_is_what_core_shows(warehouse: Warehouse) -> None:
    put(warehouse, BRANDS, [{"id": "b1", "name": "One"}, {"id": "b2", "name": "Two"}], missing_among=EVERYTHING)
    put(warehouse, BRANDS, [{"id": "b1", "name": "Uno"}], 1, missing_among=EVERYTHING)
    with warehouse.read() as con:
        columns = "brand_id, name, removed_at, content_hash, known_at"
        shown = con.execute(f"SELECT {columns} FROM core.brands ORDER BY 1").fetchall()
        then = as_of(con, "brands", datetime(2027, 1, 1, tzinfo=UTC))
        assert then.project(columns).order("brand_id").fetchall() == shown


def test_a_naive_instant_or_an_unknown_table_is_a_sentence(warehouse: Warehouse) -> None:
    with warehouse.read() as con:
        with pytest.raises(UsageError, match="no time zone"):
            as_of(con, "brands", datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake
        with pytest.raises(UsageError, match="no history of orders"):
            as_of(con, "orders", START)
