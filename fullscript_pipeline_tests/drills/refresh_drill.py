"""Refreshes that are killed, and refreshes of very many events.

What does not belong here: how many (`test_events`).
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from fullscript_pipeline import refresh
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.world_comparison import account
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.full_pull import AllClinics
from fullscript_pipeline_tests.helpers.pipeline import Connected
from fullscript_pipeline_tests.helpers.table_hash import differing_tables, table_hashes


def killed_refreshes_lose_nothing(folder: Path, *, kills: int) -> None:
    """`refresh` is killed at random moments; the next one, left alone, makes up for all of it.

    At the end the tables are those of another data directory that was filled by one pull and never killed.
    """
    chance, begun = random.Random(11), time.monotonic()
    command = [sys.executable, "-m", "fullscript_pipeline", "refresh"]
    with open_live_clinic(folder, patients=10, products=10, pulled=False) as live_clinic:
        subprocess.run([*command[:-1], "pull"], check=True, capture_output=True)
        whole = _timed(command)
        killed, tried = 0, 0
        while killed < kills and tried < 3 * kills:
            number, tried = tried, tried + 1
            live_clinic.order()
            live_clinic.change_plan(live_clinic.active_plans()[number % 3], personal_message=f"kill {number}")
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(chance.uniform(0.3, 1.0) * whole)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            process.wait()
        subprocess.run(command, check=True, capture_output=True)
        live_clinic.warehouse = open_warehouse(load_settings())
        end = account(live_clinic)
        differ = _unlike_an_unkilled_pull(live_clinic, folder)
        pending = live_clinic.store.events.pending(live_clinic.clinic.server, live_clinic.clinic.clinic_id)
        rebuilds = live_clinic.store.page_rebuilds.pending(live_clinic.clinic)
        report_promise(
            "refresh killed",
            events=2 * tried,
            acked=end.happened,
            stored=end.stored,
            lost=end.lost,
            duplicated=end.duplicated,
            phantom=end.phantom,
            kills=killed,
            pending=len(pending),
            tables_that_differ=len(differ),
            seconds=time.monotonic() - begun,
        )
        assert (end.lost, end.duplicated, end.phantom) == (0, 0, 0)
        assert (differ, pending, rebuilds) == ([], [], [])
        assert killed == kills


def _unlike_an_unkilled_pull(live_clinic: LiveClinic, folder: Path) -> list[str]:
    """The clinical tables that another directory, filled from the same sandbox by one pull, has otherwise."""
    with mock.patch.dict(os.environ, {"FULLSCRIPT_DATA_DIR": str(folder / "unkilled")}):
        settings = load_settings()
        settings.prepare_data_dir()
        with StateStore.open(settings) as store:
            connected = Connected(live_clinic.connected.sandbox, settings, store)
            connected.connect(next(iter(connected.sandbox.clinics)))
            other = AllClinics(connected)
            other.pull_everything()
        tables = ("orders", "order_line_items", "patients", "treatment_plans", "recommendations", "lab_orders")
        one, two = (
            table_hashes(warehouse, schemas=("core",)) for warehouse in (live_clinic.warehouse, other.warehouse)
        )
    return differing_tables(
        *({f"core.{name}": its_hashes[f"core.{name}"] for name in tables} for its_hashes in (one, two))
    )


def many_plan_events_cost_what_they_must(folder: Path, *, events: int, patients: int) -> None:
    """A detail an event and a read a patient the first time, nothing the second; by webhook no detail at all."""
    begun = time.monotonic()
    with open_live_clinic(folder, patients=patients + 30, products=20) as live_clinic:
        plans = list({plan.patient_id: plan for plan in live_clinic.active_plans()}.values())[:patients]
        assert len(plans) == patients

        def changed(word: str) -> list[str]:
            return [live_clinic.change_plan(plans[n % patients], personal_message=f"{word} {n}") for n in range(events)]

        changed("by feed")
        _, looked = live_clinic.look()
        done, asked = live_clinic.handle()
        live_clinic.reconcile()  # lists everything once more
        again = live_clinic.handle()[1]
        live_clinic.receive(*(live_clinic.payload(one) for one in changed("by webhook")))
        refresh.ingest_inbox(live_clinic.store)
        heard = live_clinic.handle()[1]
        end = account(live_clinic)
    reads, heard_reads = (one["patient_treatment_plans"] + one["treatment_plan"] for one in (asked, heard))
    report_promise(
        f"{events} plan events about {patients} patients",
        list_pages=looked.total(),
        details=asked["event"],
        reads=reads,
        again=again.total(),
        by_webhook_details=heard["event"],
        by_webhook_reads=heard.total(),
        touched=len(done.patients),
        lost=end.lost,
        duplicated=end.duplicated,
        phantom=end.phantom,
        seconds=time.monotonic() - begun,
    )
    assert (asked["event"], again.total(), heard["event"]) == (events, 0, 0)
    assert max(reads, heard_reads) <= patients
    # Plans that recommend labs: the lab orders of two patients, or the whole list once.
    assert heard.total() - heard_reads <= 2
    assert looked.total() <= events / 100 + 10
    assert (end.lost, end.duplicated, end.phantom) == (0, 0, 0)


def _timed(command: list[str]) -> float:
    begun = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - begun
