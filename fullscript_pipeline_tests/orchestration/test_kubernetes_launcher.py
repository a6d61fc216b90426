"""A run is a Job of Kubernetes: its manifest follows Kubernetes' schemas, and what is in it executes the run.

There is no cluster here. The client's last step is replaced: what would be sent is kept, and its command is run as a
process with the manifest's environment, as a node would.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster_k8s.client import PatchedApiClient
from kubernetes.client.rest import ApiException

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.orchestration.kubernetes_launcher import KubernetesLauncher, job_name_of
from fullscript_pipeline.orchestration.runtime import instance as instance_module
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import process_of
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, partition_tags
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.celery_workers import shared_stores
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.redis_server import RedisServer
from fullscript_pipeline_tests.helpers.s3_server import S3Server
from fullscript_pipeline_tests.helpers.wait_until import wait

DAY = date(2026, 11, 22)
STARTED, FAILURE, CANCELED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
# Those that the package of the schemas and supported clusters have in common.
VERSIONS = ("1.30", "1.33", "1.36")
IMAGE, NAMESPACE = "registry.example.org/fullscript-pipeline:1", "clinics"
CLUSTER = {"DAGSTER_K8S_PIPELINE_RUN_IMAGE": IMAGE, "DAGSTER_K8S_PIPELINE_RUN_NAMESPACE": NAMESPACE}
# Nothing answers there.
STORES = {
    "FULLSCRIPT_STATE_URL": "postgresql://somebody:hidden-password@127.0.0.1:1/database",
    "FULLSCRIPT_WAREHOUSE_URL": "ducklake:postgres:dbname=database host=127.0.0.1",
    "FULLSCRIPT_FILES_URL": "s3://bucket/place",
}


@dataclass
class Cluster:
    """What Kubernetes' API would be told, and the pods, as processes."""

    folder: Path
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    refusal: ApiException | None = None

    def create_namespaced_job(self, body: Any, namespace: str, **_: Any) -> None:
        if self.refusal:
            raise self.refusal
        assert namespace == NAMESPACE
        self.jobs[body.metadata.name] = PatchedApiClient().sanitize_for_serialization(body)

    def delete_namespaced_job(self, name: str, namespace: str) -> None:
        assert namespace == NAMESPACE
        if name in self.pods:
            self.pods[name].send_signal(signal.SIGTERM)

    def list_namespaced_pod(self, **_: Any) -> Any:
        return SimpleNamespace(items=[])

    @contextmanager
    def running_pod(self, name: str) -> "Iterator[subprocess.Popen[bytes]]":
        """The container's command with the Secret's and its own variables, in a scratch of its own."""
        (container,) = self.jobs[name]["spec"]["template"]["spec"]["containers"]
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        scratch = self.folder / f"pod-{name}"
        scratch.mkdir()
        data = variables["FULLSCRIPT_DATA_DIR"].replace("/data/", f"{scratch}/")
        shared = {key: value for key, value in os.environ.items() if not key.startswith("DAGSTER")}
        program, *arguments = container["args"]
        assert program == "python"
        with (scratch / "log").open("w") as log:
            pod = subprocess.Popen(
                [sys.executable, *arguments], cwd=scratch, stdout=log, stderr=log,
                env={**shared, **variables, "FULLSCRIPT_DATA_DIR": data},
            )  # fmt: skip
        self.pods[name] = pod
        try:
            yield pod
        finally:
            pod.kill()
            pod.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"pod-{name}" / "log").read_text()


def launcher_of(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, **options: Any) -> KubernetesLauncher:
    """As in a pod of the daemon, whose service account the client would read."""
    monkeypatch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **_: None)
    clients: dict[str, Any] = {"k8s_client_batch_api": cluster, "k8s_client_core_api": cluster}
    return KubernetesLauncher(image=IMAGE, namespace=NAMESPACE, **clients, **options)


def make_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun:
    code = ReconstructableRepository.for_module("fullscript_pipeline.definitions", "defs")
    job = code.get_reconstructable_job("clinic_daily")
    return instance.create_run_for_job(
        job.get_definition(), tags=tags, status=dg.DagsterRunStatus.STARTING, job_code_origin=job.get_python_origin()
    )


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dg.DagsterInstance, Cluster]]:
    """An instance whose launcher is ours, without the stores."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    cluster = Cluster(tmp_path)
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        launcher = launcher_of(cluster, monkeypatch, labels={"team": "data"}, resources={"limits": {"memory": "3Gi"}})
        launcher.register_instance(instance)
        instance._run_launcher = launcher
        yield instance, cluster


def launched(instance: dg.DagsterInstance, cluster: Cluster, tags: Mapping[str, str] | None = None) -> Any:
    run = make_run(instance, tags or {})
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    return run, cluster.jobs[job_name_of(run)]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_job_follows_the_schema_of_kubernetes(version: str, alone: tuple[dg.DagsterInstance, Cluster]) -> None:
    _, manifest = launched(*alone)
    kubernetes_validate.validate(manifest, version, strict=True)
    broken = {**manifest, "spec": {**manifest["spec"], "backoff": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_the_pod_has_no_rights_and_scratch_only(alone: tuple[dg.DagsterInstance, Cluster]) -> None:
    run, manifest = launched(*alone)
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["python", "-m", "fullscript_pipeline.orchestration.run_in_pod", run.run_id]
    assert "command" not in container, "the image has no entry point"
    assert (container["image"], container["resources"]) == (IMAGE, {"limits": {"memory": "3Gi"}})
    assert container["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert pod["restartPolicy"] == "Never" and manifest["spec"]["backoffLimit"] == 0, "Dagster starts it again"
    assert pod["terminationGracePeriodSeconds"] == 120
    assert pod["securityContext"] == {"fsGroup": 10001}
    kinds = {volume["name"]: next(key for key in volume if key != "name") for volume in pod["volumes"]}
    assert kinds == {"data": "emptyDir", "tmp": "emptyDir", "tls": "secret"}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp", "/tls"}  # noqa: S108


def test_settings_come_from_a_secret_that_is_named_only(
    alone: tuple[dg.DagsterInstance, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**STORES, "PGPASSWORD": "hidden-word", "FULLSCRIPT_ENCRYPTION_KEY": "hidden-key"}.items():
        monkeypatch.setenv(name, value)
    instance, cluster = alone
    run, manifest = launched(instance, cluster)
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "fullscript-pipeline"}}]
    names = [variable["name"] for variable in container["env"]]
    assert names == ["DAGSTER_RUN_JOB_NAME", "FULLSCRIPT_DATA_DIR", "FULLSCRIPT_RUNNER"]
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    told = json.dumps([manifest, dict(stored.tags), [str(event) for event in instance.all_logs(run.run_id)]])
    assert "hidden" not in told and "postgresql:" not in told


def test_tags_of_a_run_choose_nothing_of_its_pod(alone: tuple[dg.DagsterInstance, Cluster]) -> None:
    """Whoever may start a run in the UI may write its tags."""
    instance, cluster = alone
    config = json.dumps({"container_config": {"image": "elsewhere/other:1"}})
    with pytest.raises(Exception, match="violated the allowed list"):
        launched(instance, cluster, {"dagster-k8s/config": config})
    assert not cluster.jobs


def test_a_refusal_is_one_sentence(alone: tuple[dg.DagsterInstance, Cluster]) -> None:
    instance, cluster = alone
    cluster.refusal = ApiException(status=403, reason="Forbidden")
    cluster.refusal.body = "jobs.batch is forbidden"
    with pytest.raises(DagsterLaunchFailedError, match=r"refused the Job of this run \(403 Forbidden\): give"):
        launched(instance, cluster)


def test_the_setting_exchanges_the_launcher_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is local is back as it was; an owner's longer entry of our launcher stays. Runs at once are a setting."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    for name, value in STORES.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "dagster.yaml"
    path.write_text(instance_module._template("dagster.yaml"))
    texts = []
    for runner in ("local", "k8s", "celery+redis://host/0", "k8s", "local"):
        monkeypatch.setenv("FULLSCRIPT_RUNNER", runner)
        instance_module._bring_up_to_date(path, load_settings())
        texts.append(path.read_text())
    read = [yaml.safe_load(text) for text in texts]
    assert [file["run_launcher"]["class"] for file in read] == [
        "ForkingLauncher", "KubernetesLauncher", "CeleryLauncher", "KubernetesLauncher", "ForkingLauncher",
    ]  # fmt: skip
    waits = [file["run_monitoring"]["start_timeout_seconds"] for file in read]
    assert waits == [180, 1800, 14_400, 1800, 180]
    assert texts[0] == texts[-1] and texts[1] == texts[3]
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "k8s")
    monkeypatch.setenv("FULLSCRIPT_CONCURRENT_RUNS", "12")
    path.write_text(texts[1].replace("  config:\n    image:", "  config:\n    labels: {team: data}\n    image:"))
    instance_module._bring_up_to_date(path, load_settings())
    changed = yaml.safe_load(path.read_text())
    assert changed["run_launcher"]["config"]["labels"] == {"team": "data"}
    assert changed["concurrency"]["runs"]["max_concurrent_runs"] == 12
    path.write_text("run_launcher: {module: dagster_k8s, class: K8sRunLauncher}\n")
    with pytest.raises(ConfigurationError, match="names a run_launcher of its own, and FULLSCRIPT_RUNNER is k8s"):
        instance_module._bring_up_to_date(path, load_settings())


def test_the_entry_of_dagster_yaml_makes_the_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what Dagster's chart sets; its packages are asked for in one sentence."""
    for name, value in {**STORES, **CLUSTER, "FULLSCRIPT_RUNNER": "k8s"}.items():
        monkeypatch.setenv(name, value)
    entry = yaml.safe_load(instance_module._template("launcher-k8s.yaml"))
    monkeypatch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **_: None)
    with dg.instance_for_test(temp_dir=str(tmp_path), overrides=entry) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, KubernetesLauncher)
        assert (launcher.job_image, launcher.job_namespace) == (IMAGE, NAMESPACE)
        assert not launcher.supports_resume_run and not launcher.supports_run_worker_crash_recovery
    monkeypatch.setattr(instance_module, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'fullscript-pipeline\[distributed,k8s\]'"):
        instance_module.prepare_home(load_settings())


def test_a_pod_with_a_wrong_setting_says_which(tmp_path: Path) -> None:
    variables = {**os.environ, "FULLSCRIPT_DATA_DIR": str(tmp_path), "FULLSCRIPT_RUNNER": "k8s"}
    command = [sys.executable, "-m", "fullscript_pipeline.orchestration.run_in_pod", "an-id"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "FULLSCRIPT_STATE_URL" in done.stderr


@dataclass
class Pods:
    """The daemon's part: it launches runs, which wait for an answer of the sandbox."""

    connected: Connected
    instance: dg.DagsterInstance
    cluster: Cluster

    def launch(self) -> str:
        self.connected.sandbox.control.arm("slow_drip", endpoint="/clinic", count=1, seconds=60)
        tags = partition_tags(clinic_partition(self.connected.store.clinics.all()[0].clinic_key, DAY))
        run = make_run(self.instance, tags)
        self.instance.run_launcher.launch_run(LaunchRunContext(run, None))
        return run.run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def health(self, run_id: str) -> WorkerStatus:
        return self.instance.run_launcher.check_run_worker_health(self.run(run_id)).status

    def becomes(self, run_id: str, status: dg.DagsterRunStatus) -> bool:
        return wait(lambda: self.run(run_id).status is status, 60, 0.5)


@pytest.fixture
def pods(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, queue: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pods]:
    stores = shared_stores(tmp_path, postgres, s3, queue)
    for name, value in {**stores, **CLUSTER, "FULLSCRIPT_RUNNER": "k8s"}.items():
        monkeypatch.setenv(name, value)
    with (
        connected_pipeline(tmp_path, clinics=1, world_clinics=1, patients=5, products=10) as connected,
        open_instance(connected.settings) as instance,
    ):
        cluster = Cluster(tmp_path)
        launcher = launcher_of(cluster, monkeypatch)
        launcher.register_instance(instance)
        instance._run_launcher = launcher
        instance.add_dynamic_partitions("clinics", [connected.store.clinics.all()[0].clinic_key])
        yield Pods(connected, instance, cluster)


@pytest.mark.check_all
@pytest.mark.timeout(300)
def test_a_pod_executes_its_run_until_it_is_stopped_or_killed(pods: Pods) -> None:
    """Kubernetes tells it to stop by SIGTERM; one that was killed gives back its lock, by which that is seen."""
    waits = pods.launch()
    assert pods.instance.run_launcher.terminate(waits)
    assert pods.run(waits).status is CANCELED, "its pod never began"

    stopped = pods.launch()
    with pods.cluster.running_pod(f"dagster-run-{stopped}") as pod:
        assert pods.becomes(stopped, STARTED), pods.cluster.log(f"dagster-run-{stopped}")
        assert pods.health(stopped) is WorkerStatus.RUNNING
        assert pods.instance.run_launcher.terminate(stopped)
        assert pods.becomes(stopped, CANCELED), pods.cluster.log(f"dagster-run-{stopped}")
        assert pod.wait(60) in {0, 1}
    assert not pods.instance.run_launcher.terminate(stopped), "it has ended"

    killed = pods.launch()
    with pods.cluster.running_pod(f"dagster-run-{killed}") as pod, pytest.MonkeyPatch.context() as patch:
        assert pods.becomes(killed, STARTED), pods.cluster.log(f"dagster-run-{killed}")
        # As on another node, where process ids tell nothing.
        patch.setattr("fullscript_pipeline.process_identity.ProcessIdentity.is_alive", lambda _: None)
        patch.setattr("fullscript_pipeline.orchestration.runtime.run_locks._is_locked", lambda _: None)
        assert process_of(pods.run(killed)) is not None
        assert pods.health(killed) is WorkerStatus.RUNNING
        pod.kill()
        pod.wait()
        # The server takes a moment to see that the connection, and with it the lock, is gone.
        assert wait(lambda: pods.health(killed) is WorkerStatus.FAILED, 60, 0.5)
