"""Promise 24: changes that no feed shows are found by the next sweep, and counted."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.pulls import clinic, event_feeds, lab_orders, orders, treatment_plans
from fullscript_pipeline_tests.compare.values import instant
from fullscript_pipeline_tests.compare.warehouse_rows import Api
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.clinic_pull import OneClinic
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
DAYS = 20
SWEEP_DAYS = 5
TRAILING_DAYS = 10


def pull(cell: OneClinic) -> None:
    """The clinic's day, with a sweep of five days and refunds beyond the trailing ten."""
    clinic.pull_patients(cell.target, cell.session)
    event_feeds.pull_events(cell.target, cell.session, cell.connected.store)
    orders.pull_orders(cell.target, cell.session, TRAILING_DAYS, SWEEP_DAYS)
    orders.sweep_orders(cell.target, cell.session, TRAILING_DAYS, SWEEP_DAYS)
    lab_orders.pull_labs(cell.target, cell.session, SWEEP_DAYS)
    touched = event_feeds.awaited_plan_ids(cell.target, cell.clinic.clinic_id)
    treatment_plans.pull_plans(cell.target, cell.session, touched, SWEEP_DAYS)


def test_twenty_days_of_changes_through_the_api(tmp_path: Path) -> None:
    started = time.monotonic()
    with connected_pipeline(tmp_path, clinics=1, patients=150, products=60, history_days=90) as connected:
        cell = OneClinic(connected)
        pull(cell)
        through_the_api = 0
        for _ in range(DAYS):
            through_the_api += cell.next_day()["totals"].get("changes_through_the_api", 0)
            pull(cell)
        # What changed longer ago than a sweep takes must be here; what is younger may still be found.
        settled = clock.now() - timedelta(days=SWEEP_DAYS)
        with connected.sandbox.client(next(iter(connected.sandbox.clinics))) as client:
            api = Api(client)
            people = [row["id"] for row in api.rows("/clinic/patients", patient_type="all")]
            told = [row for one in people for row in api.rows(f"/clinic/patients/{one}/treatment_plans")]
        expected = {
            (row["id"], row["state"], changed)
            for row in told
            if (changed := instant(row["updated_at"])) is not None and changed < settled
        }
        stored = set(
            cell.rows("SELECT treatment_plan_id, state, updated_at FROM core.treatment_plans WHERE removed_at IS NULL")
        )
        ((counted,),) = cell.rows("SELECT sum(sweep_only_changes) FROM ops.pulls WHERE resource = 'treatment_plans'")
        cell.session.close()
    report_promise(
        "promise 24 (every plan)",
        acked=len(expected),
        stored=len(expected & stored),
        lost=len(expected - stored),
        duplicated=len(stored) - len({plan for plan, *_ in stored}),
        phantom=len({plan for plan, *_ in stored} - {row["id"] for row in told}),
        days=DAYS,
        sweep_days=SWEEP_DAYS,
        through_the_api=through_the_api,
        sweep_only_changes=counted,
        seconds=time.monotonic() - started,
    )
    assert expected <= stored
    assert through_the_api > 0
    assert counted > 0
