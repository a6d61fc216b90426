"""Runs are forked from one process: they end as they do elsewhere, can be stopped, and are missed when killed."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import LaunchRunContext, WorkerStatus

from fullscript_pipeline.orchestration.runtime import forking_launcher
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import process_of
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, partition_tags
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.wait_until import wait

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(300)]
DAY = date(2026, 11, 22)
STARTED, SUCCESS, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


class Daemon:
    """What the daemon does with a run: creates and launches it."""

    def __init__(self, connected: Connected, instance: dg.DagsterInstance) -> None:
        self.control = connected.sandbox.control
        self.instance = instance
        self.key = connected.store.clinics.all()[0].clinic_key
        self.launcher = instance.run_launcher

    def launch(self) -> str:
        code = ReconstructableRepository.for_module("fullscript_pipeline.definitions", "defs")
        job = code.get_reconstructable_job("clinic_daily")
        tags = partition_tags(clinic_partition(self.key, DAY))
        run = self.instance.create_run_for_job(
            job.get_definition(),
            tags=tags,
            status=dg.DagsterRunStatus.STARTING,
            job_code_origin=job.get_python_origin(),
        )
        self.launcher.launch_run(LaunchRunContext(run, None))
        return run.run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def ends_as(self, run_id: str, status: dg.DagsterRunStatus) -> bool:
        return wait(lambda: self.run(run_id).is_finished, 90) and self.run(run_id).status is status

    def pid(self, run_id: str) -> int:
        """The process of a run that has started."""
        assert wait(lambda: self.run(run_id).status is STARTED, 60)
        process = process_of(self.run(run_id))
        assert process is not None
        return process.pid

    @contextmanager
    def waiting_run(self) -> Iterator[str]:
        """A run that waits for a server that takes its time with one answer."""
        self.control.arm("slow_drip", endpoint="/clinic", count=1, seconds=8)
        yield self.launch()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    directory = tmp_path_factory.mktemp("forked")
    with (
        connected_pipeline(directory, clinics=1, world_clinics=1, patients=5, products=10) as connected,
        open_instance(connected.settings) as instance,
    ):
        instance.add_dynamic_partitions("clinics", [connected.store.clinics.all()[0].clinic_key])
        yield Daemon(connected, instance)


def parent_of(pid: int) -> psutil.Process:
    parent = psutil.Process(pid).parent()
    assert parent is not None
    return parent


def test_a_second_run_is_forked_from_the_process_of_the_first(daemon: Daemon) -> None:
    with daemon.waiting_run() as first:
        parent = parent_of(daemon.pid(first))
    assert daemon.ends_as(first, SUCCESS), daemon.run(first)
    imported = parent.cpu_times().user
    with daemon.waiting_run() as second:
        assert parent_of(pid := daemon.pid(second)) == parent
        assert psutil.Process(pid).nice() == min(19, psutil.Process().nice() + 10), (
            "those who wait for a page come first"
        )
        assert daemon.launcher.check_run_worker_health(daemon.run(second)).status is WorkerStatus.RUNNING
    assert daemon.ends_as(second, SUCCESS)
    assert parent.cpu_times().user - imported < 0.5, "it has imported anew"
    assert wait(lambda: not parent.children(), 30), "a process of a run does not end, or stays as a zombie"


def test_a_stopped_run_is_canceled(daemon: Daemon) -> None:
    """As the UI stops it: from another process than the launcher's, by the run's tags."""
    with daemon.waiting_run() as run_id, dg.DagsterInstance.get() as elsewhere:
        daemon.pid(run_id)
        assert elsewhere.run_launcher.terminate(run_id)
        assert daemon.ends_as(run_id, dg.DagsterRunStatus.CANCELED)
        assert not elsewhere.run_launcher.terminate(run_id), "it has ended"


def test_a_killed_run_is_found_to_be_gone_and_the_next_one_starts(daemon: Daemon) -> None:
    with daemon.waiting_run() as run_id:
        os.kill(daemon.pid(run_id), signal.SIGKILL)
        assert wait(lambda: daemon.launcher.check_run_worker_health(daemon.run(run_id)).status is WorkerStatus.FAILED)
        daemon.instance.report_run_failed(daemon.run(run_id))
    assert daemon.ends_as(daemon.launch(), SUCCESS)


def test_after_its_parent_was_killed_a_run_ends_and_another_starts(daemon: Daemon) -> None:
    with daemon.waiting_run() as run_id:
        parent_of(daemon.pid(run_id)).kill()
    assert daemon.ends_as(run_id, SUCCESS)
    assert daemon.ends_as(daemon.launch(), SUCCESS)


def test_changed_code_counts_from_the_next_run_on(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    with daemon.waiting_run() as before:
        parent = parent_of(daemon.pid(before))
        monkeypatch.setattr(forking_launcher, "_newest_change", lambda: 1)
        current = daemon.launcher._current_parent()  # type: ignore[attr-defined]
        assert current._process.pid != parent.pid
    assert daemon.ends_as(before, SUCCESS), "a run of the former code goes on"
    assert wait(lambda: not parent.is_running(), 10), "the former process waits for nothing"


def test_a_process_that_ended_because_nothing_was_to_do_is_started_again(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends between the look and the request: nothing was started, so the request is made once more."""
    daemon.launcher.dispose()
    with monkeypatch.context() as patch:
        patch.setattr(forking_launcher, "_RUN_PARENT", [sys.executable, "-c", ""])
        parent = daemon.launcher._current_parent()  # type: ignore[attr-defined]
    monkeypatch.setattr(parent, "has_ended", lambda: bool(parent._process.returncode is not None))
    assert daemon.ends_as(daemon.launch(), SUCCESS)


def test_a_launch_fails_when_the_process_was_killed_with_the_request(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have started the run, which must not start twice: Dagster's retries make a new run."""
    daemon.launcher.dispose()
    killed = "input(); import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(forking_launcher, "_RUN_PARENT", [sys.executable, "-c", killed])
    with pytest.raises(DagsterLaunchFailedError, match="ended with exit code -9"):
        daemon.launch()


@pytest.mark.parametrize(
    ("before", "named"),
    [
        pytest.param(None, "ForkingLauncher", id="a new data directory"),
        pytest.param("telemetry: {enabled: false}\n", "ForkingLauncher", id="a file that names none"),
        pytest.param(
            "run_launcher: {module: dagster, class: DefaultRunLauncher}\n",
            "DefaultRunLauncher",
            id="its owner's choice",
        ),
    ],
)
def test_the_file_of_the_instance_names_the_launcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, named: str
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    settings = load_settings()
    if before:
        settings.prepare_data_dir()
        (settings.dagster_home / "dagster.yaml").write_text(before, encoding="utf-8")
    for _ in range(2):
        with open_instance(settings) as instance:
            assert type(instance.run_launcher).__name__ == named
