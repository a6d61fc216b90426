"""Handled needs proof, gone needs two: over HTTP, with objects that are late, denied once, refused, or have no time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock, refresh
from fullscript_pipeline.sandbox.world import Plan
from fullscript_pipeline.state import EventBacklog
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.event_histories import Tally, play
from fullscript_pipeline_tests.helpers.event_shapes import Bend, bent


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("proof"), patients=14, products=10) as found:
        yield found


@pytest.fixture(autouse=True)
def no_fault_stays(live_clinic: LiveClinic) -> Iterator[None]:
    yield
    live_clinic.connected.sandbox.control.disarm()


def arm(live_clinic: LiveClinic, kind: str, **rule: Any) -> None:
    live_clinic.connected.sandbox.control.arm(kind, **{"count": None, **rule})


def event_of(live_clinic: LiveClinic, object_id: str) -> tuple[Any, ...]:
    """What is known of the last event about an object: (handled, outcome)."""
    told = next(e.id for e in reversed(live_clinic.world.events.values()) if object_id in str(e.data))
    (row,) = live_clinic.stored("events", ["processed_at IS NOT NULL", "outcome"], f"event_id = '{told}'")
    return tuple(row)


def is_stored(live_clinic: LiveClinic, table: str, key: str, object_id: str) -> bool | None:
    """Whether it is there; None: it was never stored."""
    rows = live_clinic.stored(table, ["removed_at IS NULL"], f"{key} = '{object_id}'")
    return bool(rows[0][0]) if rows else None


def backlog(live_clinic: LiveClinic) -> EventBacklog:
    found: EventBacklog = live_clinic.store.tries.backlog(live_clinic.clinic)
    return found


def test_an_order_that_cannot_be_read_yet_keeps_its_event_waiting(
    live_clinic: LiveClinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [live_clinic.order() for _ in range(3)]
    arm(live_clinic, "late_object", endpoint="/clinic/orders*", objects=orders)
    live_clinic.look()
    live_clinic.handle()
    assert [event_of(live_clinic, one) for one in orders] == [(False, None)] * 3
    assert (backlog(live_clinic).waiting, live_clinic.look()[0]) == (3, None), "the next try is in a minute"
    assert live_clinic.rows("SELECT count(*), min(attempts), min(reason) FROM ops.events WHERE outcome IS NULL") == [
        (3, 1, "its object could not be read yet")
    ]
    live_clinic.connected.sandbox.control.disarm()
    later = clock.real_now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "real_now", lambda: later)
    found, _ = live_clinic.look()
    assert found is not None
    assert len(found.event_ids) == 3
    live_clinic.handle()
    assert [event_of(live_clinic, one) for one in orders] == [(True, "stored")] * 3
    assert all(is_stored(live_clinic, "orders", "order_id", one) for one in orders)
    assert backlog(live_clinic).waiting == 0


def test_a_refresh_of_no_events_reads_none_that_wait(live_clinic: LiveClinic) -> None:
    """Lab orders that moved are read by a run that names no event."""
    order = live_clinic.order()
    live_clinic.look()
    with live_clinic.session(live_clinic.clinic) as session:
        assert (
            refresh.handle_events(live_clinic.target(live_clinic.clinic), session, live_clinic.store, []).event_ids
            == ()
        )
        assert session.requests["order"] + session.requests["orders"] == 0
    live_clinic.handle()
    assert event_of(live_clinic, order) == (True, "stored")


def test_somebody_who_asks_for_a_refresh_waits_for_no_minute(live_clinic: LiveClinic) -> None:
    order = live_clinic.order()
    arm(live_clinic, "late_object", endpoint="/clinic/orders*", objects=[order])
    live_clinic.look()
    live_clinic.handle()
    live_clinic.connected.sandbox.control.disarm()
    found = refresh.request_for_due_events(live_clinic.store, live_clinic.clinic, include_requested=True)
    assert found is not None
    assert len(found.event_ids) == 1
    live_clinic.handle()
    assert event_of(live_clinic, order) == (True, "stored")


@pytest.mark.check_all
def test_the_daily_pull_takes_up_what_no_refresh_could_read(live_clinic: LiveClinic) -> None:
    order = live_clinic.order()
    arm(live_clinic, "late_object", endpoint="/clinic/orders*", objects=[order])
    live_clinic.look()
    live_clinic.handle()
    live_clinic.pull_everything()
    assert event_of(live_clinic, order) == (False, None)
    live_clinic.connected.sandbox.control.disarm()
    live_clinic.pull_everything()
    assert event_of(live_clinic, order) == (True, "stored")
    assert is_stored(live_clinic, "orders", "order_id", order)


def test_one_404_takes_no_plan_that_its_patient_still_has(live_clinic: LiveClinic) -> None:
    plan = live_clinic.active_plans()[0]
    live_clinic.change_plan(plan, personal_message="still there")
    arm(live_clinic, "not_found", endpoint="/clinic/treatment_plans/*", count=1)
    live_clinic.look()
    live_clinic.handle()
    assert is_stored(live_clinic, "treatment_plans", "treatment_plan_id", plan.id)
    said = live_clinic.stored("treatment_plans", ["personal_message"], f"treatment_plan_id = '{plan.id}'")
    assert said == [("still there",)], "its patient's list shows it as it is now"
    assert event_of(live_clinic, plan.id) == (True, "stored")


def _without(plan: Plan, *, listed: bool) -> Bend:
    """The plan is denied by id; its patient's list holds it no more, or cannot be read."""

    def bend(path: str, body: Any) -> Any:
        if path == "/clinic/treatment_plans/{id}" and plan.id in str(body):
            return 404
        if path == "/clinic/patients/{patient_id}/treatment_plans" and plan.id in str(body):
            return {**body, "treatment_plans": []} | {"meta": {"total_count": 0}} if listed else 403
        return body

    return bend


def test_a_plan_that_neither_its_id_nor_its_patient_has_is_gone(live_clinic: LiveClinic) -> None:
    plan = live_clinic.active_plans()[1]
    with bent(_without(plan, listed=False)):
        live_clinic.change_plan(plan, personal_message="denied, and the list is refused")
        live_clinic.look()
        done, _ = live_clinic.handle()
    assert is_stored(live_clinic, "treatment_plans", "treatment_plan_id", plan.id)
    assert event_of(live_clinic, plan.id) == (False, None)
    assert "answered 404 without a list that lacks it" in " ".join(report.reason or "" for report in done.reports)
    with bent(_without(plan, listed=True)):
        live_clinic.handle()
    assert is_stored(live_clinic, "treatment_plans", "treatment_plan_id", plan.id) is False
    assert event_of(live_clinic, plan.id) == (True, "gone")
    live_clinic.change_plan(plan, personal_message="there again")
    live_clinic.look()
    live_clinic.handle()
    assert is_stored(live_clinic, "treatment_plans", "treatment_plan_id", plan.id), "what comes back is there again"


def test_a_refused_object_is_unreadable_until_somebody_connects(live_clinic: LiveClinic) -> None:
    order = live_clinic.order()
    arm(live_clinic, "forbidden", endpoint="/clinic/orders*")
    live_clinic.look()
    live_clinic.handle()
    assert event_of(live_clinic, order) == (False, "unreadable")
    assert backlog(live_clinic).reasons == {"the server refuses its object (403)": 1}
    assert refresh.request_for_due_events(live_clinic.store, live_clinic.clinic, include_requested=True) is None
    live_clinic.connected.sandbox.control.disarm()
    live_clinic.connected.connect(next(iter(live_clinic.connected.sandbox.clinics)))
    assert backlog(live_clinic).unreadable == 0
    live_clinic.handle()
    assert event_of(live_clinic, order) == (True, "stored")


def test_what_was_refused_once_is_read_by_the_next_daily_pull(live_clinic: LiveClinic) -> None:
    plan = live_clinic.active_plans()[-1]
    live_clinic.change_plan(plan, state="cancelled")
    arm(live_clinic, "forbidden", endpoint="/clinic/treatment_plans/*")
    arm(live_clinic, "forbidden", endpoint="/clinic/patients/*")
    live_clinic.look()
    live_clinic.handle()
    assert event_of(live_clinic, plan.id) == (False, "unreadable")
    live_clinic.connected.sandbox.control.disarm()
    live_clinic.pull_everything()
    assert event_of(live_clinic, plan.id) == (True, "stored")
    assert live_clinic.stored("treatment_plans", ["state"], f"treatment_plan_id = '{plan.id}'") == [("cancelled",)]
    live_clinic.handle()
    assert backlog(live_clinic).unreadable == 0


def _timeless(path: str, body: Any) -> Any:
    """No event says when it happened, in a list or by itself; lists hold ids and types."""
    if path.startswith("/events/") and "events" in body:
        return {**body, "events": [{"id": row["id"], "type": row["type"]} for row in body["events"]]}
    if path == "/events/{id}":
        return {"event": {key: value for key, value in body["event"].items() if key != "created_at"}}
    return body


@pytest.mark.check_all
def test_orders_of_events_without_a_time_are_listed_from_the_last_complete_look(tmp_path: Path) -> None:
    with open_live_clinic(tmp_path, patients=10, products=10) as other:
        other.connected.sandbox.control.advance(days=15)
        other.connected.set_clock()
        with bent(_timeless):
            other.look()
            other.handle()
        stored = {one for (one,) in other.stored("orders", ["order_id"])}
        told = {e.data["id"] for e in other.world.events.values() if e.type == "order.placed"}
        assert len(told) > 10
        assert told <= stored
        assert set(other.world.orders) == stored


@pytest.mark.check_all
def test_no_event_of_a_random_history_is_handled_without_its_object(tmp_path: Path) -> None:
    with open_live_clinic(tmp_path, patients=12, products=10) as other:
        found = Tally()
        play(other, range(4), found)
    assert (found.unproven, found.lost, found.removed) == ([], [], [])
    assert found.faults.total() > 2
