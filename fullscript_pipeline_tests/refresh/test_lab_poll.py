"""Lab orders that move without an event: polled within the idle share, read, and on the patient's page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline import clock, refresh
from fullscript_pipeline.refresh import lab_poll
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.event_shapes import bent
from fullscript_pipeline_tests.helpers.lab_plans import page, plan_with_lab


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("polling"), patients=10, products=10) as found:
        yield found


def poll(live_clinic: LiveClinic) -> tuple[int, int]:
    """How many lab orders a poll saw moved, and what it asked."""
    with live_clinic.session(live_clinic.clinic) as session:
        return refresh.poll_labs(session, live_clinic.store), session.requests.total()


def read(live_clinic: LiveClinic) -> int:
    with live_clinic.session(live_clinic.clinic) as session:
        number = refresh.fetch_moved_labs(live_clinic.target(live_clinic.clinic), session, live_clinic.store)
    refresh.watch_labs(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    return number


@pytest.mark.check_all
def test_a_lab_that_moved_without_an_event_is_on_the_page(live_clinic: LiveClinic) -> None:
    plan, lab = plan_with_lab(live_clinic, 0)
    refresh.watch_labs(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    assert poll(live_clinic) == (0, 1)
    lab.row["state"] = "upcoming_appointment"
    assert poll(live_clinic) == (1, 1)
    assert read(live_clinic) == 1
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [
        ("upcoming_appointment",)
    ]
    done, _ = live_clinic.handle()
    assert plan.patient_id in done.patients
    assert "Thyroid panel</bdi>: Appointment made" in page(live_clinic, plan.patient_id, done.patients)
    assert poll(live_clinic) == (0, 1)


def test_a_lab_that_no_event_told_of_is_found(live_clinic: LiveClinic) -> None:
    refresh.watch_labs(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    # Labs are polled while one of them may still change.
    live_clinic.store.labs.watch(live_clinic.clinic, {"earlier": "processing"})
    _, lab = plan_with_lab(live_clinic, 1, is_known=False)
    assert poll(live_clinic)[0] >= 1
    read(live_clinic)
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [("not_purchased",)]


@pytest.mark.check_all
def test_few_that_may_move_among_many_are_asked_for_by_id(live_clinic: LiveClinic) -> None:
    _, lab = plan_with_lab(live_clinic, 2)
    for other in live_clinic.world.labs.values():
        other.row["state"] = "interpretation_shared" if other is not lab else "processing"
    live_clinic.pull_everything()
    refresh.watch_labs(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    live_clinic.store.feeds.set_position(live_clinic.clinic.server, live_clinic.clinic.clinic_id, "labs_stored", "5000")
    lab.row["state"] = "partial_results"
    with bent(lambda path, body: 500 if path == "/clinic/labs/orders" else body):
        assert poll(live_clinic) == (1, 1)
    lab.row["state"] = "interpretation_shared"
    read(live_clinic)
    assert poll(live_clinic) == (0, 0), "nothing may move any more"


@pytest.mark.check_all
def test_words_of_webhooks_are_no_move_and_a_refusal_says_nothing(live_clinic: LiveClinic) -> None:
    _, lab = plan_with_lab(live_clinic, 3)
    lab.row["state"] = "results_ready"
    live_clinic.pull_everything()
    refresh.watch_labs(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    lab.row["state"] = "ALL_results_received"
    assert poll(live_clinic)[0] == 0
    lab.row["state"] = "interpretation_ready"
    with bent(lambda path, body: 403 if path.startswith("/clinic/labs/") else body):
        assert poll(live_clinic) == (0, 1)
    assert poll(live_clinic) == (1, 1)


@given(costs=st.lists(st.integers(0, 60), min_size=1, max_size=12), feeds=st.integers(1, 200))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_polls_stay_within_a_tenth_of_the_look(
    costs: list[int], feeds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinics = [
        Clinic(server="us-snd", clinic_id=f"c{number}", clinic_key=f"key-{number}", region="us")
        for number in range(len(costs))
    ]
    by_id = {clinic.clinic_id: cost for clinic, cost in zip(clinics, costs, strict=True)}
    monkeypatch.setattr(lab_poll, "lab_poll_cost", lambda _, clinic: by_id[clinic.clinic_id])
    with StateStore(tmp_path / "state.sqlite") as store:
        chosen = refresh.choose_lab_polls(store, clinics, feeds)
    assert 0 not in chosen.values()
    assert bool(chosen) == any(costs)
    assert len(chosen) <= 1 or sum(chosen.values()) <= feeds / 10


def test_nobody_is_polled_twice_within_a_quarter_of_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic, start = (
        Clinic(server="us-snd", clinic_id="c1", clinic_key="maple", region="us"),
        datetime(2026, 11, 28, 9, tzinfo=UTC),
    )
    session: Any = SimpleNamespace(clinic=clinic, pages=lambda _: iter(()))
    polled = []
    with StateStore(tmp_path / "state.sqlite") as store:
        store.labs.watch(clinic, {"lab": "processing"})
        for minutes in (0, 1, 14, 15, 29, 30):
            monkeypatch.setattr(clock, "real_now", lambda at=start + timedelta(minutes=minutes): at)
            if refresh.choose_lab_polls(store, [clinic], 5) == {"maple": 1}:
                refresh.poll_labs(session, store)
                polled.append(minutes)
    assert polled == [0, 15, 30]
