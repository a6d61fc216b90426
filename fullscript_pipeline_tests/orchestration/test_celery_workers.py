"""Two workers with data directories of their own share a queue; one is killed, the other goes on from its pages.

PostgreSQL, Redis, the S3 server, the code server, the daemon and the workers are real processes.
"""

import os
import signal
from pathlib import Path

import dagster as dg
import pytest

from fullscript_pipeline_tests.helpers.celery_workers import shared_stores
from fullscript_pipeline_tests.helpers.machines import machines
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.redis_server import PASSWORD, RedisServer
from fullscript_pipeline_tests.helpers.s3_server import S3Server
from fullscript_pipeline_tests.helpers.wait_until import wait

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(900)]
# Three pages of them.
PATIENTS = 230
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
# Enough of a clinic's day to write rows of each clinic into shared tables; all of it takes minutes on two processors.
_ASSETS = [dg.AssetKey(["core", "clinics"]), dg.AssetKey(["core", "patients"])]


def test_two_workers_share_the_runs_and_one_outlives_the_other(
    tmp_path: Path,
    postgres: PostgresServer,
    s3: S3Server,
    queue: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in shared_stores(tmp_path, postgres, s3, queue).items():
        monkeypatch.setenv(name, value)
    with machines(tmp_path, clinics=2, patients=PATIENTS, workers=2) as made:
        keys = [clinic.clinic_key for clinic in made.connected.store.clinics.all()]
        first = [made.submit(key, _ASSETS) for key in keys]
        for run_id in first:
            assert made.ends_as(run_id, SUCCESS), (made.log("daemon-1"), made.log("worker-1"), made.log("worker-2"))
        assert {made.taken_by(run_id) for run_id in first} == {"worker-1", "worker-2"}
        before = made.patients()
        assert all(200 < PATIENTS <= rows == people < 300 for _, rows, people in before)

        control = made.connected.sandbox.control
        control.arm("slow_drip", endpoint="/clinic/patients", nth=3, count=1, seconds=60)
        second = made.submit(keys[0], _ASSETS)
        assert wait(lambda: len(made.frames("patients")) == 2, 300, 0.1)
        killed = str(made.taken_by(second))
        os.killpg(made.workers[killed].pid, signal.SIGKILL)
        control.reset_requests()
        assert made.ends_as(second, FAILURE)
        assert wait(lambda: made.retry_of(second) is not None, 300, 0.5), "the daemon starts it again"
        third = str(made.retry_of(second))
        assert made.ends_as(third, SUCCESS), made.log("daemon-1")
        assert {killed, made.taken_by(third)} == {"worker-1", "worker-2"}
        assert made.patients() == before
        asked = {row["endpoint"]: row["count"] for row in control.requests()["counts"]}
        assert asked["/clinic/patients"] == 1, "the page that was being read"
        assert made.frames("patients") == []
        assert not [name for name in (*made.workers, "daemon-1") if PASSWORD in made.log(name)]
