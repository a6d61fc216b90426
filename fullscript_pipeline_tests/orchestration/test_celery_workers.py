"""Two workers with data directories of their own share a queue; one is killed, the other goes on from its pages.

PostgreSQL, Redis, the S3 server, the code server, the daemon and the workers are real processes.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.storage.tags import PARENT_RUN_ID_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from fullscript_pipeline.cli.code_server import LOCATION, code_server
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline_tests.helpers.celery_workers import machine, shared_stores, worker
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.redis_server import PASSWORD, RedisServer
from fullscript_pipeline_tests.helpers.s3_server import S3Server
from fullscript_pipeline_tests.helpers.wait_until import wait

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(900)]
DAY = date(2026, 11, 22)
# Three pages of them.
PATIENTS = 230
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
_DAEMON = [sys.executable, "-m", "fullscript_pipeline.orchestration.daemon", "run"]
# Enough of a clinic's day to write rows of each clinic into shared tables; all of it takes minutes on two processors.
_ASSETS = [dg.AssetKey(["core", "clinics"]), dg.AssetKey(["core", "patients"])]
_PATIENTS = "SELECT clinic_id, count(*), count(DISTINCT patient_id) FROM core.patients GROUP BY ALL ORDER BY ALL"


@dataclass
class Machines:
    """The daemon, and workers that act as machines of their own, each with a log."""

    connected: Connected
    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    workers: "dict[str, subprocess.Popen[str]]"
    folder: Path

    def submit(self, key: str) -> str:
        """As the schedule does: a run from the code server's description, put into the daemon's queue."""
        request = self.workspace.create_request_context()
        location = request.get_code_location(LOCATION)
        (repository,) = location.get_repositories().values()
        job = location.get_job(
            JobSubsetSelector(
                location_name=location.name, repository_name=repository.name, job_name="clinic_daily",
                op_selection=None, asset_selection=_ASSETS,
            )
        )  # fmt: skip
        parts = clinic_partition(key, DAY)
        tags = {"dagster/partition": str(parts)}
        tags |= {f"dagster/partition/{name}": value for name, value in parts.keys_by_dimension.items()}
        plan = location.get_execution_plan(
            job, run_config={}, step_keys_to_execute=None, known_state=None, instance=self.instance
        ).execution_plan_snapshot
        run = self.instance.create_run(
            job_name=job.name, run_id=None, run_config={}, status=None, tags=tags, root_run_id=None, parent_run_id=None,
            step_keys_to_execute=plan.step_keys_to_execute, execution_plan_snapshot=plan, job_snapshot=job.job_snapshot,
            parent_job_snapshot=job.parent_job_snapshot, asset_selection=frozenset(_ASSETS), asset_check_selection=None,
            resolved_op_selection=job.resolved_op_selection, op_selection=None, asset_graph=repository.asset_graph,
            remote_job_origin=job.get_remote_origin(), job_code_origin=job.get_python_origin(),
        )  # fmt: skip
        self.instance.submit_run(run.run_id, request)
        return run.run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text()

    def taken_by(self, run_id: str) -> str | None:
        """The worker that has taken the run from the queue."""
        task = self.run(run_id).tags.get(DAGSTER_CELERY_TASK_ID_TAG, "not in the queue yet")
        return next((name for name in self.workers if task in self.log(name)), None)

    def ends_as(self, run_id: str, status: dg.DagsterRunStatus) -> bool:
        return wait(lambda: self.run(run_id).is_finished, 400, 0.5) and self.run(run_id).status is status

    def retry_of(self, run_id: str) -> str | None:
        found = self.instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run_id}))
        return found[0].run_id if found else None

    def frames(self, resource: str) -> list[str]:
        """The pages in the bucket of pulls that are not finished."""
        names = open_files(self.connected.settings, "landing").names_below("")
        return [name for name in names if f"/{resource}." in name and ".open/" in name]

    def patients(self) -> list[tuple[str, int, int]]:
        """Of each clinic: rows, and people."""
        lake = open_warehouse(self.connected.settings)
        assert isinstance(lake, Lake)
        with lake.read() as con:
            rows = con.execute(_PATIENTS).fetchall()
        lake.close_if_unused()
        return rows


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    with ExitStack() as opened:
        pipeline = connected_pipeline(folder, clinics=2, world_clinics=2, patients=PATIENTS, products=10)
        connected = opened.enter_context(pipeline)
        instance = opened.enter_context(open_instance(connected.settings))
        add_clinic_partitions(instance, connected.store)
        code = opened.enter_context(code_server(connected.settings, "colored", {}))
        target = WorkspaceFileTarget([str(code.workspace)])
        workspace = opened.enter_context(WorkspaceProcessContext(instance, target))
        workers = {name: opened.enter_context(worker(folder / name)) for name in ("one", "two")}
        opened.enter_context(machine(folder / "daemon", [*_DAEMON, "-w", str(code.workspace)]))
        yield Machines(connected=connected, instance=instance, workspace=workspace, workers=workers, folder=folder)


def test_two_workers_share_the_runs_and_one_outlives_the_other(
    tmp_path: Path,
    postgres: PostgresServer,
    s3: S3Server,
    queue: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in shared_stores(tmp_path, postgres, s3, queue).items():
        monkeypatch.setenv(name, value)
    with machines(tmp_path) as made:
        keys = [clinic.clinic_key for clinic in made.connected.store.clinics.all()]
        first = [made.submit(key) for key in keys]
        for run_id in first:
            assert made.ends_as(run_id, SUCCESS), (made.log("daemon"), made.log("one"), made.log("two"))
        assert {made.taken_by(run_id) for run_id in first} == {"one", "two"}
        before = made.patients()
        assert all(200 < PATIENTS <= rows == people < 300 for _, rows, people in before)

        control = made.connected.sandbox.control
        control.arm("slow_drip", endpoint="/clinic/patients", nth=3, count=1, seconds=60)
        second = made.submit(keys[0])
        assert wait(lambda: len(made.frames("patients")) == 2, 300, 0.1)
        killed = str(made.taken_by(second))
        os.killpg(made.workers[killed].pid, signal.SIGKILL)
        control.reset_requests()
        assert made.ends_as(second, FAILURE)
        assert wait(lambda: made.retry_of(second) is not None, 300, 0.5), "the daemon starts it again"
        third = str(made.retry_of(second))
        assert made.ends_as(third, SUCCESS), made.log("daemon")
        assert {killed, made.taken_by(third)} == {"one", "two"}
        assert made.patients() == before
        asked = {row["endpoint"]: row["count"] for row in control.requests()["counts"]}
        assert asked["/clinic/patients"] == 1, "the page that was being read"
        assert made.frames("patients") == []
        assert not [name for name in ("one", "two", "daemon") if PASSWORD in made.log(name)]
