"""Events: outages of every length, histories in every order, changes that no feed shows, kills of a refresh."""

import time
from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills import event_order_drill, outage_drill, refresh_drill
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.clinic_fixture import open_live_clinic
from fullscript_pipeline_tests.helpers.event_histories import Tally, play

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.check_all
def test_an_hour_is_made_up_for_by_the_vendors_retries(tmp_path: Path) -> None:
    found = outage_drill.drill(tmp_path, minutes=60)
    assert (found.end.lost, found.end.duplicated, found.end.phantom) == (0, 0, 0)
    assert (found.span, found.silence) == (None, "heard")
    assert found.by_webhook == found.happened


@pytest.mark.soak
def test_after_seven_hours_the_vendor_has_given_up_and_the_feeds_have_it(tmp_path: Path) -> None:
    found = outage_drill.drill(tmp_path, minutes=7 * 60)
    assert (found.end.lost, found.end.duplicated, found.end.phantom) == (0, 0, 0)
    assert (found.span, found.silence) == (None, "heard")
    assert found.by_feed == found.happened


@pytest.mark.check_all
def test_after_three_days_the_endpoint_is_disabled_and_that_is_said(tmp_path: Path) -> None:
    found = outage_drill.drill(tmp_path, days=3)
    assert (found.end.lost, found.end.duplicated, found.end.phantom) == (0, 0, 0)
    assert found.span is None
    assert found.silence.startswith("disabled endpoint")


@pytest.mark.check_all
def test_after_thirty_one_days_the_lost_span_is_named_and_swept(tmp_path: Path) -> None:
    found = outage_drill.drill(tmp_path, days=31)
    assert (found.end.lost, found.end.duplicated, found.end.phantom) == (0, 0, 0)
    assert found.unlisted > 0
    assert found.span == "2026-11-22 to 2026-11-23"


@pytest.mark.soak
def test_all_permutations_of_five_event_histories(tmp_path: Path) -> None:
    event_order_drill.all_orders_end_alike(tmp_path, histories=2, length=5)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(40, marks=pytest.mark.check_all),
        pytest.param(1000, marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
)
def test_no_event_is_handled_without_its_object(tmp_path: Path, number: int) -> None:
    found, begun = Tally(), time.monotonic()
    with open_live_clinic(tmp_path, patients=12, products=10, rate_limit=10**9) as live_clinic:
        for first in range(0, number, 20):
            live_clinic.let_the_window_pass()
            play(live_clinic, range(first, min(first + 20, number)), found)
            live_clinic.pull_everything()
            assert live_clinic.store.tries.backlog(live_clinic.clinic).unreadable == 0
    report_promise(
        "promise 34",
        histories=found.histories,
        events=found.events,
        faults=found.faults.total(),
        unproven=len(found.unproven),
        lost=len(found.lost),
        removed=len(found.removed),
        seconds=time.monotonic() - begun,
    )
    assert (found.unproven, found.lost, found.removed) == ([], [], [])


@pytest.mark.soak
def test_what_no_feed_shows_is_found_by_the_sweep_and_counted(tmp_path: Path) -> None:
    event_order_drill.the_sweep_finds_what_no_feed_shows(tmp_path, days=20)


@pytest.mark.check_all
def test_a_thousand_plan_events_about_fifty_patients(tmp_path: Path) -> None:
    refresh_drill.many_plan_events_cost_what_they_must(tmp_path, events=1000, patients=50)


@pytest.mark.soak
def test_fifty_kills_of_a_refresh(tmp_path: Path) -> None:
    refresh_drill.killed_refreshes_lose_nothing(tmp_path, kills=50)
