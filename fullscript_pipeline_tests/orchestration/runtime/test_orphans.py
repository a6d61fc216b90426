"""Runs whose process is gone are ended by the daemon's sensor; all others are left alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import httpx
import pytest
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from fullscript_pipeline.build import build_defs
from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.orchestration.automation.refresh_requests import run_config
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import PID_TAG, PROCESS_TAG, process_tags
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.orchestration.runtime.run_locks import held_by_this_process
from fullscript_pipeline.process_identity import ProcessIdentity
from fullscript_pipeline.refresh import RefreshRequest
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.ui_links import ui_link
from fullscript_pipeline_tests.helpers.wait_until import wait

RUN = "0b5ad7a0-0000-4000-8000-00000000000a"
OURS = ProcessIdentity.current()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path_factory.mktemp("orphans")))
        patch.setenv("DAGSTER_HOME", "set by open_instance")  # and taken away at the end
        with open_instance(load_settings()) as opened:
            yield opened


@pytest.fixture(autouse=True)
def no_run_is_left(instance: dg.DagsterInstance) -> Iterator[None]:
    yield
    for run in instance.get_runs():
        instance.delete_run(run.run_id)


def tick(instance: dg.DagsterInstance) -> str | None:
    """What the daemon does every half minute."""
    repository = build_defs(load_settings).get_repository_def()
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        return repository.get_sensor_def("orphaned_runs_sensor").evaluate_tick(context).skip_message


def started(
    instance: dg.DagsterInstance, tags: Mapping[str, str], run_id: str = RUN, status: str = "STARTED"
) -> dg.DagsterRun:
    job = build_defs(load_settings).resolve_job_def("clinic_refresh")
    config = run_config(RefreshRequest(clinic_key="x", event_ids=()))
    return instance.create_run_for_job(job, run_id=run_id, run_config=config, status=status, tags=tags)


def status_of(instance: dg.DagsterInstance, run_id: str = RUN) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    return gone.pid


@pytest.mark.parametrize("status", ["STARTED", "STARTING", "NOT_STARTED", "CANCELING"])
@pytest.mark.parametrize(
    "process",
    [
        pytest.param(replace(OURS, started="1"), id="its number is another process's now"),
        pytest.param(replace(OURS, pid=dead_pid()), id="no process has its number"),
        pytest.param(replace(OURS, boot="before"), id="the machine was started anew"),
    ],
)
def test_a_run_whose_process_is_gone_is_ended(
    instance: dg.DagsterInstance, process: ProcessIdentity, status: str
) -> None:
    started(instance, {PID_TAG: str(process.pid), PROCESS_TAG: f"{RUN}/{process}"}, status=status)
    assert tick(instance) == "Marked 1 run whose process is gone as failed."
    assert status_of(instance) is dg.DagsterRunStatus.FAILURE
    assert tick(instance) == "No run is orphaned."


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(process_tags(RUN), id="its process runs"),
        pytest.param({PROCESS_TAG: f"{RUN}/{replace(OURS, machine='other', boot='other', pid=1)}"}, id="elsewhere"),
        pytest.param({PROCESS_TAG: f"{RUN}/not an identity"}, id="its tag cannot be read"),
        pytest.param({PROCESS_TAG: f"parent/{replace(OURS, started='1')}", PID_TAG: "1"}, id="inherited its tags"),
        pytest.param({PID_TAG: "99999999", PARENT_RUN_ID_TAG: "parent"}, id="inherited an earlier version's tag"),
        pytest.param({PID_TAG: str(os.getpid())}, id="of an earlier version, and its process runs"),
        pytest.param({}, id="the daemon's own"),
    ],
)
def test_a_run_that_may_be_alive_or_is_not_headless_is_left_alone(
    instance: dg.DagsterInstance, tags: Mapping[str, str]
) -> None:
    started(instance, tags)
    assert tick(instance) == "No run is orphaned."
    assert status_of(instance) is dg.DagsterRunStatus.STARTED


def test_of_another_container_of_this_machine_the_lock_decides(instance: dg.DagsterInstance) -> None:
    started(instance, {PROCESS_TAG: f"{RUN}/{replace(OURS, machine='other', namespace='1', pid=1)}"})
    with held_by_this_process(instance, RUN):
        assert tick(instance) == "No run is orphaned."
        lock = Path(instance.root_directory) / "headless" / f"{RUN}.lock"
        kept = lock.with_suffix(".kept")
        os.link(lock, kept)
    kept.rename(lock)  # a kill leaves the file, without a holder
    assert tick(instance) == "Marked 1 run whose process is gone as failed."
    assert not lock.exists()


def test_runs_of_an_earlier_version_have_only_a_number(instance: dg.DagsterInstance) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        run = started(instance, {PID_TAG: str(later.pid)})
        started(instance, {PID_TAG: str(dead_pid())}, RUN.replace("a", "b"))
        assert tick(instance) == "Marked 1 run whose process is gone as failed."
        assert status_of(instance, run.run_id) is dg.DagsterRunStatus.STARTED
        # The number was given out again: the process is younger than the run.
        path = Path(instance.root_directory) / "history" / "runs.db"
        subprocess.run(
            [sys.executable, "-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
             "c.execute(\"UPDATE runs SET create_timestamp = datetime('now', '-1 hour')\"); c.commit()", str(path)],
            check=True,
        )  # fmt: skip
        assert tick(instance) == "Marked 1 run whose process is gone as failed."
        later.communicate(b"\n", timeout=20)


@contextmanager
def killed_pull(tmp_path: Path) -> Iterator[tuple[Connected, dg.DagsterInstance, str, int]]:
    """A clinic whose `pull` was killed while the server did not answer, the instance, the clinic's key, the process."""
    with connected_pipeline(tmp_path, clinics=1, world_clinics=1, patients=5, products=10) as connected:
        connected.sandbox.control.arm("read_timeout", endpoint="/clinic", count=None, seconds=60)
        key = connected.store.clinics.all()[0].clinic_key
        command = [sys.executable, "-m", "fullscript_pipeline", "pull", "--clinic", key]
        with open_instance(connected.settings) as instance, subprocess.Popen(command) as pull:
            assert wait(lambda: statuses(instance, pull.pid) == [dg.DagsterRunStatus.STARTED], 60)
            assert tick(instance) == "No run is orphaned."
            pull.send_signal(signal.SIGKILL)
            connected.sandbox.control.disarm()
            # Nobody waits for the process: it stays a zombie, as under a container's first process that reaps nothing.
            assert wait(lambda: Path(f"/proc/{pull.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
            yield connected, instance, key, pull.pid


def statuses(instance: dg.DagsterInstance, pid: int) -> list[dg.DagsterRunStatus]:
    return [run.status for run in instance.get_runs() if run.tags.get(PID_TAG) == str(pid)]


def test_a_pull_that_is_killed_is_ended_though_its_parent_has_not_noticed(tmp_path: Path) -> None:
    with killed_pull(tmp_path) as (_, instance, _, pid):
        assert tick(instance) == "Marked 1 run whose process is gone as failed."
        assert statuses(instance, pid) == [dg.DagsterRunStatus.FAILURE]


LAUNCH = """mutation($tags: [ExecutionTag!]!) { launchRun(executionParams: {runConfigData: {}, selector: {
    repositoryLocationName: "fullscript_pipeline", repositoryName: "__repository__", jobName: "clinic_daily"},
    executionMetadata: {tags: $tags}}) { __typename ... on LaunchRunSuccess { run { runId } } } }"""


@pytest.mark.check_all
@pytest.mark.timeout(700)
def test_the_daemon_runs_a_clinic_whose_pull_was_killed(tmp_path: Path) -> None:
    """`ui` alone, no other command: the queue does not wait for the dead."""
    with killed_pull(tmp_path) as (_, instance, key, pid):
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "fullscript_pipeline", "ui", "--port", str(port)]
        with (tmp_path / "ui.log").open("w") as log, run_child(command, dict(os.environ), stdout=log, stderr=log):
            assert wait(lambda: answers(url), 90)
            parts = clinic_partition(key, date(2026, 11, 22)).keys_by_dimension
            tags = {"dagster/partition": str(clinic_partition(key, date(2026, 11, 22)))}
            tags |= {f"dagster/partition/{name}": value for name, value in parts.items()}
            given = [{"key": name, "value": value} for name, value in tags.items()]
            asked = {"query": LAUNCH, "variables": {"tags": given}}
            with httpx.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=60) as page:
                page.get(ui_link(load_settings(), ""))
                told = page.post("/graphql", json=asked).json()
            run_id = told["data"]["launchRun"]["run"]["runId"]
            assert wait(lambda: status_of(instance, run_id) is dg.DagsterRunStatus.SUCCESS, 400)
            assert statuses(instance, pid)[-1] is dg.DagsterRunStatus.FAILURE


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", trust_env=False).is_success
    except httpx.TransportError:
        return False
