"""Whether a run's process lives is seen from another machine, on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from fullscript_pipeline.build import build_defs
from fullscript_pipeline.orchestration.runtime import run_locks
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import (
    PROCESS_TAG,
    fail_orphans,
    health_of,
    is_alive,
)
from fullscript_pipeline.orchestration.runtime.run_locks import held_by_this_process
from fullscript_pipeline.process_identity import ProcessIdentity
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.wait_until import wait

pytestmark = pytest.mark.check_all
ELSEWHERE = replace(ProcessIdentity.current(), machine="another", boot="another")
_HOLD = """
import sys, time, dagster as dg
from fullscript_pipeline.orchestration.runtime.run_locks import held_by_this_process
with dg.DagsterInstance.get() as instance, held_by_this_process(instance, sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path_factory.mktemp("locks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FULLSCRIPT_DATA_DIR", str(folder))
        patch.setenv("FULLSCRIPT_STATE_URL", postgres.url_of(str(folder)))
        with open_instance(load_settings()) as opened:
            yield opened


@pytest.fixture
def run(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterRun]:
    """A run that a process of another machine executes."""
    monkeypatch.setattr(run_locks, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(run_locks, "LOOK_AGAIN_SECONDS", 1.0)
    job = build_defs(load_settings).resolve_job_def("orders_backfill")
    made = instance.create_run_for_job(job, status="STARTED")
    instance.add_run_tags(made.run_id, {PROCESS_TAG: f"{made.run_id}/{ELSEWHERE}"})
    found = instance.get_run_by_id(made.run_id)
    assert found is not None
    yield found
    instance.delete_run(made.run_id)


def test_a_killed_process_of_another_machine_is_found_to_be_gone(
    instance: dg.DagsterInstance, run: dg.DagsterRun
) -> None:
    """Until then, neither the sensor nor run monitoring, which fails a run of unknown health, may end its run."""
    command = [sys.executable, "-c", _HOLD, run.run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert health_of(instance, run).status is WorkerStatus.RUNNING
        assert fail_orphans(instance) == 0
        process.kill()
    assert wait(lambda: fail_orphans(instance) == 1)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE


def test_a_process_takes_its_lock_again_after_an_interruption(
    instance: dg.DagsterInstance, run: dg.DagsterRun, postgres: PostgresServer
) -> None:
    """PostgreSQL was restarted: the lock is free for a moment, and the run goes on."""
    with held_by_this_process(instance, run.run_id):
        assert is_alive(instance, run)
        for _ in range(5):
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                "'fullscript_pipeline run'"
            )
            assert is_alive(instance, run)
    assert is_alive(instance, run) is False


def test_a_history_in_files_has_no_such_lock(tmp_path: Path, run: dg.DagsterRun) -> None:
    """Its runs of other machines stay unknown, as before."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as files:
        assert run_locks.is_held(files, run.run_id, is_on_this_machine=False) is None
        assert is_alive(files, run) is None
