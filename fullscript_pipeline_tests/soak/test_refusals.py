"""Promises 22 and 36 on whole runs: every endpoint answers 403, or 401 for good, in turn, and the run succeeds, saying
what was not available.

Promise 14 on a whole pull: a clinic whose grant is gone is exit 77, and the others are pulled.
"""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, region_partition
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.refusal_drill import count_requests
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = [pytest.mark.soak, pytest.mark.timeout(2700)]

_DAY = date(2026, 11, 22)


@pytest.mark.parametrize(("kind", "promise"), [("forbidden", "promise 22"), ("unauthorized", "promise 36")])
def test_every_endpoint_may_refuse_without_failing_the_run(tmp_path: Path, kind: str, promise: str) -> None:
    started = time.monotonic()
    with connected_pipeline(tmp_path, clinics=1, patients=8, products=12) as connected:
        console_logging.quiet()
        instance = open_instance(connected.settings)
        add_clinic_partitions(instance, connected.store)
        key = connected.store.clinics.all()[0].clinic_key

        def run() -> list[str]:
            outcomes = [
                run_job(instance, "catalog_daily", partition=region_partition("us", _DAY)),
                run_job(instance, "clinic_daily", partition=clinic_partition(key, _DAY)),
            ]
            return [failure.sentence for outcome in outcomes for failure in outcome.failures]

        assert run() == []
        endpoints = count_requests(connected)
        trouble: dict[str, list[str]] = {}
        refused: dict[str, int] = {}
        for endpoint in endpoints:
            connected.sandbox.control.arm(kind, endpoint=endpoint, count=None)
            connected.sandbox.control.reset_requests()
            if failures := run():
                trouble[endpoint] = failures
            refused[endpoint] = count_requests(connected).get(endpoint, 0)
            connected.sandbox.control.disarm()
        with open_warehouse(load_settings()).read() as con:
            told = con.execute("SELECT count(*) FROM ops.pulls WHERE outcome = 'not_available'").fetchall()[0][0]
        dead = [clinic.clinic_key for clinic in connected.store.clinics.all() if clinic.status != "ok"]
        instance.dispose()
    report_promise(
        promise, endpoints=len(endpoints), failed_runs=len(trouble), needless_connects=len(dead), record_refusal=told,
        refused_calls=sum(refused.values()), seconds=time.monotonic() - started,
    )  # fmt: skip
    assert trouble == {}
    assert dead == []


def test_a_dead_grant_is_77_and_the_other_clinics_are_pulled(tmp_path: Path) -> None:
    started = time.monotonic()
    with connected_pipeline(tmp_path, patients=8, products=12) as connected:
        slug = next(iter(connected.sandbox.clinics))
        connected.sandbox.control.revoke(slug)
        connected.sandbox.control.reset_requests()
        run = [sys.executable, "-m", "fullscript_pipeline", "pull"]
        done = subprocess.run(run, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=300)
        calls = [row for row in connected.sandbox.control.requests()["counts"] if row["endpoint"] == "/oauth/token"]
        with open_warehouse(load_settings()).read() as con:
            pulled = con.execute("SELECT DISTINCT clinic_id FROM core.patients").fetchall()
        dead = [clinic.clinic_id for clinic in connected.store.clinics.all() if clinic.status == "needs_connect"]
    report_promise(
        "promise 14", exit_code=done.returncode, dead=len(dead), token_calls=sum(row["count"] for row in calls),
        pulled=len(pulled), seconds=time.monotonic() - started,
    )  # fmt: skip
    assert done.returncode == 77, done.stderr
    assert dead == [connected.sandbox.clinics[slug]["clinic_id"]]
    assert sum(row["count"] for row in calls) <= 2
    assert len(pulled) == len(connected.sandbox.clinics) - 1
    assert "Traceback" not in done.stderr
