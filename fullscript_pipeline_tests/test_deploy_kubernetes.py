"""deploy/helm-values.yaml and kubernetes.yaml: closed pods, Secrets by name, and our programs under the chart's names.

The chart itself is not here, nor a cluster. What does not belong here: the Jobs of runs
(`orchestration/test_kubernetes_launcher`).
"""

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any, cast

import kubernetes_validate
import pytest
import yaml

from fullscript_pipeline.orchestration.kubernetes_launcher import _CERTIFICATE_SECRET, _CONTAINER, _POD, _SECRET

DEPLOY = Path(__file__).parents[1] / "deploy"
SCRATCH = {"/data", "/tmp", "/tls"}  # noqa: S108 - of the pods


def values() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((DEPLOY / "helm-values.yaml").read_text()))


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def receiver() -> dict[str, Any]:
    return cast(dict[str, Any], manifests()[-1]["spec"]["template"]["spec"])


def variables(entries: list[dict[str, str]]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in entries}


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.36"])
def test_the_manifests_follow_the_schemas_of_kubernetes(version: str) -> None:
    assert [manifest["kind"] for manifest in manifests()] == ["LimitRange", "Service", "Deployment"]
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)
    # What the chart copies into its pods is part of one, too.
    for name in ("dagsterWebserver", "dagsterDaemon"):
        part = values()[name]
        container = {"name": "dagster", "image": "image:1", "env": part["env"], "volumeMounts": part["volumeMounts"]}
        container |= {key: part[key] for key in ("securityContext", "readinessProbe", "livenessProbe") if key in part}
        container["envFrom"] = [{"secretRef": secret} for secret in part["envSecrets"]]
        pod = {"containers": [container], "volumes": part["volumes"], "securityContext": part["podSecurityContext"]}
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod}, version, strict=True
        )


def test_every_pod_is_as_closed_as_a_run() -> None:
    closed = dict(_CONTAINER)
    pods = [(values()[name], values()[name]["podSecurityContext"]) for name in ("dagsterWebserver", "dagsterDaemon")]
    pods.append((receiver()["containers"][0], receiver()["securityContext"]))
    for part, pod in pods:
        assert part["securityContext"] == closed
        assert pod == {"fsGroup": _POD["security_context"]["fs_group"]}
        assert {mount["mountPath"] for mount in part["volumeMounts"]} == SCRATCH
    for volumes in (values()["dagsterDaemon"]["volumes"], receiver()["volumes"]):
        assert [volume.get("emptyDir") for volume in volumes[:2]] == [{}, {}]
        assert volumes[2]["secret"] == {"secretName": _CERTIFICATE_SECRET, "optional": True}
    assert receiver()["automountServiceAccountToken"] is False


def test_secrets_are_there_by_name_only() -> None:
    for part in (values()["dagsterWebserver"], values()["dagsterDaemon"]):
        assert part["envSecrets"] == [{"name": _SECRET}]
        assert set(variables(part["env"])) == {
            "PATH", "FULLSCRIPT_DATA_DIR", "FULLSCRIPT_RUNNER", "FULLSCRIPT_CONCURRENT_RUNS",
        }  # fmt: skip
    assert receiver()["containers"][0]["envFrom"] == [{"secretRef": {"name": _SECRET}}]
    assert not [manifest for manifest in manifests() if manifest["kind"] == "Secret"]
    told = values()
    assert told["generatePostgresqlPasswordSecret"] is False and told["generateCeleryConfigSecret"] is False
    assert "postgresqlPassword" not in told["postgresql"]
    assert told["global"]["postgresqlSecretName"] == "fullscript-postgresql"


def test_the_chart_starts_one_daemon_our_image_and_no_store() -> None:
    told = values()
    assert told["dagsterDaemon"]["image"] == told["dagsterWebserver"]["image"] == told["pipelineRun"]["image"]
    assert variables(told["dagsterDaemon"]["env"])["FULLSCRIPT_RUNNER"] == "k8s"
    switched_off = ("postgresql", "rabbitmq", "redis", "flower", "ingress", "telemetry", "dagster-user-deployments")
    assert not [name for name in switched_off if told[name]["enabled"]]
    assert told["dagsterWebserver"]["service"] == {"type": "ClusterIP", "port": 3000}
    assert told["dagsterWebserver"]["readinessProbe"]["httpGet"] == {"path": "/server_info", "port": 3000}
    for file in ("helm-values.yaml", "kubernetes.yaml"):
        assert "NOT RUN" in (DEPLOY / file).read_text()


# How the chart's templates start them, with the port of the values.
COMMANDS = {
    "dagster-webserver -h 0.0.0.0 -p 3000": ["fullscript_pipeline.orchestration.webserver", "-w", "workspace.yaml"],
    "dagster-daemon run": ["fullscript_pipeline.orchestration.daemon", "run", "-w", "workspace.yaml"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_programs_of_the_chart_are_ours(command: str, tmp_path: Path) -> None:
    """They take the place of Dagster's by PATH; a stand-in for Python prints what it is given."""
    told = tmp_path / "python"
    told.write_text('#!/bin/sh\necho "$@"\n')
    told.chmod(0o755)
    path = variables(values()["dagsterDaemon"]["env"])["PATH"]
    here = path.replace("/app/deploy/", f"{DEPLOY}/").replace("/app/.venv/bin", str(tmp_path))
    assert here != path
    done = subprocess.run(
        ["/bin/bash", "-c", command], env={**os.environ, "PATH": here}, capture_output=True, text=True, check=True
    )
    module, *options = COMMANDS[command]
    words = done.stdout.split()
    assert words[: 2 + len(options)] == ["-m", module, *options]
    assert words[2 + len(options) :] == (["-h", "0.0.0.0", "-p", "3000"] if "webserver" in command else [])  # noqa: S104
    assert importlib.util.find_spec(module) is not None
    assert "deploy/chart-bin deploy/chart-bin" in (DEPLOY / "Dockerfile").read_text()
