"""A run goes through a queue to a worker: it can be stopped wherever it is, and a worker that is stopped ends it."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import psutil
import pytest
import redis
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import LaunchRunContext

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.orchestration.celery_launcher import CeleryLauncher
from fullscript_pipeline.orchestration.runtime import instance as instance_module
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import process_of
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, partition_tags
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline_tests.helpers.celery_workers import shared_stores, worker
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.redis_server import PASSWORD, RedisServer
from fullscript_pipeline_tests.helpers.s3_server import S3Server
from fullscript_pipeline_tests.helpers.wait_until import wait

DAY = date(2026, 11, 22)
STARTED, FAILURE, CANCELED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
# Nothing answers there.
STORES = {
    "FULLSCRIPT_STATE_URL": "postgresql://somebody@127.0.0.1:1/database",
    "FULLSCRIPT_WAREHOUSE_URL": "ducklake:postgres:dbname=database host=127.0.0.1",
    "FULLSCRIPT_FILES_URL": "s3://bucket/place",
}


@dataclass
class Queue:
    """The daemon's part: it launches runs, which wait for an answer of the sandbox."""

    connected: Connected
    instance: dg.DagsterInstance
    folder: Path

    def launch(self) -> str:
        self.connected.sandbox.control.arm("slow_drip", endpoint="/clinic", count=1, seconds=60)
        code = ReconstructableRepository.for_module("fullscript_pipeline.definitions", "defs")
        job = code.get_reconstructable_job("clinic_daily")
        tags = partition_tags(clinic_partition(self.connected.store.clinics.all()[0].clinic_key, DAY))
        run = self.instance.create_run_for_job(
            job.get_definition(),
            tags=tags,
            status=dg.DagsterRunStatus.STARTING,
            job_code_origin=job.get_python_origin(),
        )
        self.instance.run_launcher.launch_run(LaunchRunContext(run, None))
        return run.run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def starts(self, run_id: str) -> bool:
        return wait(lambda: self.run(run_id).status is STARTED, 60, 0.5)

    def ends_as(self, run_id: str, status: dg.DagsterRunStatus) -> bool:
        return wait(lambda: self.run(run_id).is_finished, 60, 0.5) and self.run(run_id).status is status

    def captured(self, run_id: str) -> Sequence[dg.EventLogEntry]:
        """That what the run prints is captured, once it is."""
        return self.instance.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)

    def printed(self, run_id: str) -> str:
        """What the run's process wrote to its standard error, as the UI of this machine reads it."""
        (captured,) = self.captured(run_id)
        assert captured.dagster_event is not None
        key = captured.dagster_event.logs_captured_data.file_key
        return (self.instance.compute_log_manager.get_log_data([run_id, "compute_logs", key]).stderr or b"").decode()

    @contextmanager
    def running_worker(self, name: str) -> "Iterator[subprocess.Popen[str]]":
        with worker(self.folder / name) as process:
            yield process

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text()


@pytest.fixture(scope="module")
def queued(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, s3: S3Server, queue: RedisServer
) -> Iterator[Queue]:
    folder = tmp_path_factory.mktemp("queued")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_stores(folder, postgres, s3, queue).items():
            patch.setenv(name, value)
        with (
            connected_pipeline(folder, clinics=1, world_clinics=1, patients=5, products=10) as connected,
            open_instance(connected.settings) as instance,
        ):
            instance.add_dynamic_partitions("clinics", [connected.store.clinics.all()[0].clinic_key])
            yield Queue(connected, instance, folder)


@pytest.mark.check_all
@pytest.mark.timeout(300)
def test_a_run_is_stopped_while_it_waits_and_while_it_runs(queued: Queue, queue: RedisServer) -> None:
    """The one that waits is never begun; the other's process is told, by the queue if it is elsewhere.

    The queue holds no address of a store, and nothing of what is pulled.
    """
    waits = queued.launch()
    with closing(redis.Redis.from_url(queue.url)) as client:
        (message,) = client.lrange("dagster", 0, -1)
    told = base64.b64decode(json.loads(message)["body"]).decode()
    assert waits in told
    assert not [word for word in (PASSWORD, "tests@", str(DAY), "patients") if word in told]
    assert queued.instance.run_launcher.terminate(waits)
    assert queued.run(waits).status is CANCELED
    with queued.running_worker("stops") as process:
        for is_visible in (True, False):
            runs = queued.launch()
            assert queued.starts(runs), queued.log("stops")
            with pytest.MonkeyPatch.context() as patch:
                if not is_visible:
                    patch.setattr("fullscript_pipeline.process_identity.ProcessIdentity.is_alive", lambda _: None)
                    patch.setattr("fullscript_pipeline.orchestration.runtime.run_locks._is_locked", lambda _: None)
                assert queued.instance.run_launcher.terminate(runs)
            assert queued.ends_as(runs, CANCELED)
            assert not queued.instance.run_launcher.terminate(runs), "it has ended"
        assert process.poll() is None, "the worker goes on"
    assert queued.run(waits).status is CANCELED
    assert PASSWORD not in queued.log("stops")


@pytest.mark.check_all
@pytest.mark.timeout(300)
def test_sigterm_ends_the_run_and_the_worker(queued: Queue) -> None:
    """Nothing of it is left: an earlier worker would take runs with old code. The daemon starts such a run again."""
    with queued.running_worker("ends") as process:
        run_id = queued.launch()
        assert queued.starts(run_id), queued.log("ends")
        assert wait(lambda: bool(queued.captured(run_id)), 60, 0.2), queued.log("ends")
        named = process_of(queued.run(run_id))
        assert named is not None
        family = psutil.Process(process.pid).children(recursive=True)
        assert named.pid in {child.pid for child in family}
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        assert not any(child.is_running() for child in family)
    assert queued.run(run_id).status is FAILURE
    assert queued.run(run_id).tags["dagster/will_retry"] == "true"
    assert "Execution of step" in queued.printed(run_id), "what it printed is in the bucket"


@pytest.mark.check_all
def test_a_queue_that_does_not_come_back_is_one_sentence(queued: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, because a launch that fails costs the run a retry; here for a second only."""
    port = free_port()
    monkeypatch.setenv("FULLSCRIPT_RUNNER", f"celery+redis://:{PASSWORD}@127.0.0.1:{port}/0")
    with open_instance(load_settings()) as elsewhere, pytest.raises(DagsterLaunchFailedError) as caught:
        launcher = elsewhere.run_launcher
        assert isinstance(launcher, CeleryLauncher)
        assert launcher.celery.conf.broker_transport_options["connect_retries_timeout"] == 60
        launcher.celery.conf.broker_transport_options["connect_retries_timeout"] = 1
        Queue(queued.connected, elsewhere, queued.folder).launch()
    assert f"The queue of runs at 127.0.0.1:{port} cannot be reached" in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.check_all
def test_a_worker_without_a_queue_says_what_to_set(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "celery", "-A", "fullscript_pipeline.orchestration.worker", "worker"]
    without = {name: value for name, value in os.environ.items() if name not in {*STORES, "FULLSCRIPT_RUNNER"}}
    env = {**without, "FULLSCRIPT_DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "FULLSCRIPT_RUNNER is local" in done.stderr


def settings_with(monkeypatch: pytest.MonkeyPatch, folder: Path, variables: Mapping[str, str]) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(folder))
    for name in (*STORES, "FULLSCRIPT_RUNNER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_the_setting_exchanges_the_launcher_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is local is back as it was, and the password of the queue is in no file."""
    path = tmp_path / "dagster.yaml"
    path.write_text(instance_module._template("dagster.yaml"))
    texts = []
    for variables in ({}, {**STORES, "FULLSCRIPT_RUNNER": f"celery+redis://:{PASSWORD}@host/0"}, STORES, {}):
        instance_module._bring_up_to_date(path, settings_with(monkeypatch, tmp_path, variables))
        texts.append(path.read_text())
    read = [yaml.safe_load(text) for text in texts]
    assert [file["run_launcher"]["class"] for file in read] == [
        "ForkingLauncher", "CeleryLauncher", "ForkingLauncher", "ForkingLauncher",
    ]  # fmt: skip
    waits = [file["run_monitoring"]["start_timeout_seconds"] for file in read]
    assert waits == [180, 14_400, 180, 180]
    assert texts[0] == texts[-1]
    assert PASSWORD not in texts[1]


def test_a_launcher_of_the_owner_and_a_queue_contradict_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dagster.yaml"
    path.write_text("run_launcher: {module: dagster, class: DefaultRunLauncher}\n")
    settings = settings_with(monkeypatch, tmp_path, {**STORES, "FULLSCRIPT_RUNNER": "celery+redis://host/0"})
    with pytest.raises(ConfigurationError, match=re.escape(f"{path} names a run_launcher of its own")):
        instance_module._bring_up_to_date(path, settings)


def test_a_queue_without_its_packages_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(monkeypatch, tmp_path, {**STORES, "FULLSCRIPT_RUNNER": "celery+redis://host/0"})
    monkeypatch.setattr(instance_module, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'fullscript-pipeline\[distributed\]'"):
        instance_module.prepare_home(settings)
