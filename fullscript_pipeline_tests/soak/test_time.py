"""The full numbers of promise 37: wrong clocks both ways, killed processes, numbers that are in use again."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.automation.refresh_requests import run_config
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.orphans import PROCESS_TAG, fail_orphans, process_tags
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, region_partition
from fullscript_pipeline.process_identity import ProcessIdentity
from fullscript_pipeline.refresh import RefreshRequest
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
DAYS = (1, 30, 3652)
KILLS = 30
# A headless run of another process, at work for ever.
HOLDER = """
import sys, time
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import held_by_this_process
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.soak.test_time import started
with open_instance(load_settings()) as instance, held_by_this_process(instance, sys.argv[1]):
    started(instance, sys.argv[1])
    print("started", flush=True)
    time.sleep(600)
"""


def started(instance: dg.DagsterInstance, run_id: str, process: ProcessIdentity | None = None) -> None:
    """A run at work, of this process or another one."""
    tags = {PROCESS_TAG: f"{run_id}/{process}"} if process else process_tags(run_id)
    job = build_defs(load_settings).resolve_job_def("clinic_refresh")
    instance.create_run_for_job(
        job,
        run_id=run_id,
        run_config=run_config(RefreshRequest(clinic_key="x", event_ids=())),
        status="STARTED",
        tags=tags,
    )


def test_nothing_is_loaded_under_a_wrong_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console_logging.quiet()
    began, runs, refused, loaded = time.monotonic(), 0, 0, 0
    today = datetime.now(UTC).date()
    with connected_pipeline(tmp_path, clinics=1, world_clinics=1, patients=8, products=12, start=today) as connected:
        monkeypatch.delenv("FULLSCRIPT_NOW")
        clinic, day = connected.store.clinics.all()[0], clock.today(connected.settings.time_zone)
        cells = {
            "clinic_daily": clinic_partition(clinic.clinic_key, day),
            "catalog_daily": region_partition(clinic.region, day),
        }
        with open_instance(connected.settings) as instance:
            add_clinic_partitions(instance, connected.store)
            for days in (*DAYS, *(-days for days in DAYS)):
                seconds = timedelta(days=days).total_seconds()
                connected.sandbox.control.arm("clock_skew", count=None, seconds=seconds)
                for job, cell in cells.items():
                    outcome = run_job(instance, job, partition=cell)
                    runs, refused = runs + 1, refused + ({one.exit_code for one in outcome.failures} == {78})
                connected.sandbox.control.disarm()
            with open_warehouse(load_settings()).read() as con:
                (loaded,) = con.execute("SELECT count(*) FROM ops.pulls").fetchone() or (0,)
            assert run_job(instance, "clinic_daily", partition=cells["clinic_daily"]).failures == ()
    report_promise("promise 37, clocks", runs=runs, refused=refused, loaded=loaded, seconds=time.monotonic() - began)
    assert (refused, loaded) == (runs, 0)


def test_the_dead_are_ended_and_the_living_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "set by open_instance")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    ours, ended, wrongly = ProcessIdentity.current(), 0, 0
    with open_instance(load_settings()) as instance:
        for _ in range(KILLS):
            killed, alive, reused, elsewhere = (str(uuid4()) for _ in range(4))
            command = [sys.executable, "-c", HOLDER, killed]
            with subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout
                assert process.stdout.readline().strip() == "started"
                assert fail_orphans(instance) == 0
                process.kill()
            started(instance, alive)
            started(instance, reused, replace(ours, started="1"))
            started(instance, elsewhere, replace(ours, machine="other", boot="other"))
            ended += fail_orphans(instance)
            runs = {run.run_id: run.status for run in instance.get_runs()}
            wrongly += sum(runs[run] is not dg.DagsterRunStatus.STARTED for run in (alive, elsewhere))
            assert {runs[run] for run in (killed, reused)} == {dg.DagsterRunStatus.FAILURE}
            for run in (alive, elsewhere):
                instance.delete_run(run)
    report_promise("promise 37, processes", kills=KILLS, reused=KILLS, ended=ended, wrongly_ended=wrongly)
    assert (ended, wrongly) == (2 * KILLS, 0)
