"""The daemon and workers on machines of their own, which share PostgreSQL, a bucket, a lake and a queue; all are real.

What does not belong here: assertions.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.storage.tags import PARENT_RUN_ID_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from fullscript_pipeline.cli.code_server import LOCATION, code_server
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, partition_tags
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline_tests.helpers.celery_workers import machine, worker
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.wait_until import wait

DAY = date(2026, 11, 22)
_PEOPLE = "SELECT clinic_id, count(*), count(DISTINCT patient_id) FROM core.patients GROUP BY ALL ORDER BY ALL"
_DAEMON = [sys.executable, "-m", "fullscript_pipeline.orchestration.daemon", "run"]


@dataclass
class Machines:
    """The daemon, and workers that act as machines of their own, each with a log."""

    connected: Connected
    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    workers: "dict[str, subprocess.Popen[str]]"
    folder: Path
    code: Path
    opened: ExitStack
    daemons: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start_worker(self, name: str) -> None:
        self.workers[name] = self.opened.enter_context(worker(self.folder / name))

    def start_daemon(self) -> None:
        """Another one than before has a folder and a log of its own."""
        folder = self.folder / f"daemon-{len(self.daemons) + 1}"
        self.daemons.append(self.opened.enter_context(machine(folder, [*_DAEMON, "-w", str(self.code)])))

    def start_again_what_ended(self) -> int:
        """As systemd and Docker do. Returns how many processes that were: workers, and the daemon."""
        ended = [name for name, process in self.workers.items() if process.poll() is not None]
        for name in ended:
            del self.workers[name]
            self.start_worker(f"{name}-again")
        is_daemon_gone = self.daemons[-1].poll() is not None
        if is_daemon_gone:
            self.start_daemon()
        return len(ended) + is_daemon_gone

    def submit(self, key: str, assets: Sequence[dg.AssetKey] | None = None) -> str:
        """As the schedule does: a run from the code server's description, put into the daemon's queue.

        `assets`: of the day; all of them otherwise.
        """
        request = self.workspace.create_request_context()
        location = request.get_code_location(LOCATION)
        (repository,) = location.get_repositories().values()
        job = location.get_job(
            JobSubsetSelector(
                location_name=location.name, repository_name=repository.name, job_name="clinic_daily",
                op_selection=None, asset_selection=assets,
            )
        )  # fmt: skip
        tags, chosen = partition_tags(clinic_partition(key, DAY)), frozenset(assets) if assets else None
        plan = location.get_execution_plan(
            job, run_config={}, step_keys_to_execute=None, known_state=None, instance=self.instance
        ).execution_plan_snapshot
        run = self.instance.create_run(
            job_name=job.name, run_id=None, run_config={}, status=None, tags=tags, root_run_id=None, parent_run_id=None,
            step_keys_to_execute=plan.step_keys_to_execute, execution_plan_snapshot=plan, job_snapshot=job.job_snapshot,
            parent_job_snapshot=job.parent_job_snapshot, asset_selection=chosen, asset_check_selection=None,
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
            rows = con.execute(_PEOPLE).fetchall()
        lake.close_if_unused()
        return rows


@contextmanager
def machines(folder: Path, *, clinics: int, patients: int, workers: int) -> Iterator[Machines]:
    """Connected clinics, none pulled; the environment has `celery_workers.shared_stores`."""
    with ExitStack() as opened:
        pipeline = connected_pipeline(folder, clinics=clinics, world_clinics=clinics, patients=patients, products=10)
        connected = opened.enter_context(pipeline)
        instance = opened.enter_context(open_instance(connected.settings))
        add_clinic_partitions(instance, connected.store)
        code = opened.enter_context(code_server(connected.settings, "colored", {}))
        target = WorkspaceFileTarget([str(code.workspace)])
        workspace = opened.enter_context(WorkspaceProcessContext(instance, target))
        made = Machines(
            connected=connected, instance=instance, workspace=workspace, workers={}, folder=folder,
            code=code.workspace, opened=opened,
        )  # fmt: skip
        for number in range(1, workers + 1):
            made.start_worker(f"worker-{number}")
        made.start_daemon()
        yield made
