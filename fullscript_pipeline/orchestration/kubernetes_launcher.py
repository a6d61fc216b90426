"""Dagster's run launcher for a Kubernetes cluster: each run is a Job with one pod, which ends with the run.

`dagster.yaml` names this class where FULLSCRIPT_RUNNER is k8s, and nothing else imports it. Dagster's own package makes
the Job; here is what is in ours: `run_in_pod` as the command, settings out of a Secret by its name, scratch only, no
rights. Whether a run's process lives is seen in PostgreSQL (`runtime.run_locks`), as with a queue. It was not run on a
cluster: tests hold its Jobs against Kubernetes' schemas. What does not belong here: executing a run (`run_in_pod`).
"""

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext
from dagster._serdes import ConfigurableClassData
from dagster_k8s.client import DagsterK8sAPIRetryLimitExceeded, DagsterK8sUnrecoverableAPIError
from dagster_k8s.job import get_job_name_from_run_id
from dagster_k8s.launcher import K8sRunLauncher
from kubernetes.client.rest import ApiException
from urllib3.exceptions import HTTPError

from fullscript_pipeline.orchestration.runtime import health_of, launch_failure, process_of, require_code_origin

_COMMAND = ("python", "-m", "fullscript_pipeline.orchestration.run_in_pod")
# Names, as deploy/helm-values.yaml has them.
_SECRET, _CERTIFICATE_SECRET = "fullscript-pipeline", "fullscript-pipeline-tls"
# The user of our image.
_USER = 10001
# A folder of its own in the scratch volume, which the run's user makes and nobody else may open.
_DATA_DIR = "/data/fullscript"
# A run that is stopped ends its step and gives its locks back.
_STOP_SECONDS = 120
_CONTAINER = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_POD: dict[str, Any] = {"security_context": {"fs_group": _USER}, "termination_grace_period_seconds": _STOP_SECONDS}
# The run speaks with PostgreSQL, the bucket and Fullscript, and not with the cluster.
_POD |= {"automount_service_account_token": False, "enable_service_links": False}
_SCRATCH: list[dict[str, Any]] = [{"name": "data", "empty_dir": {}}, {"name": "tmp", "empty_dir": {}}]
_PATHS = {"data": "/data", "tmp": "/tmp", "tls": "/tls"}  # noqa: S108 - of the pod alone
_MOUNTS = [{"name": name, "mount_path": path, "read_only": name == "tls"} for name, path in _PATHS.items()]


class KubernetesLauncher(K8sRunLauncher):
    """`image`: ours. `secret`: holds the settings; `certificate_secret`: the certificate of PostgreSQL, as a file."""

    def __init__(
        self,
        *,
        image: str,
        namespace: str,
        secret: str = _SECRET,
        certificate_secret: str = _CERTIFICATE_SECRET,
        service_account: str = "default",
        inst_data: ConfigurableClassData | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            service_account_name=service_account,
            # Each pod makes its own from its settings.
            instance_config_map="",
            dagster_home="",
            job_image=image,
            job_namespace=namespace,
            env_secrets=[secret],
            env_vars=[f"FULLSCRIPT_DATA_DIR={_DATA_DIR}", "FULLSCRIPT_RUNNER=k8s"],
            volumes=[*_SCRATCH, {"name": "tls", "secret": {"secret_name": certificate_secret, "optional": True}}],
            volume_mounts=_MOUNTS,
            security_context=_CONTAINER,
            run_k8s_config={"pod_spec_config": _POD, "job_spec_config": {"backoff_limit": 0}},
            # Whoever may start a run must not choose another image, user or Secret for it, by tags.
            only_allow_user_defined_k8s_config_fields={},
            only_allow_user_defined_env_vars=[],
            inst_data=inst_data,
            **options,
        )

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        optional = ("secret", "certificate_secret", "service_account", "image_pull_policy", "scheduler_name")
        return {
            "image": dg.StringSource,
            "namespace": dg.StringSource,
            **{name: dg.Field(dg.StringSource, is_required=False) for name in optional},
            "image_pull_secrets": dg.Field([{"name": dg.StringSource}], is_required=False),
            "resources": dg.Field(dict, is_required=False),
            "labels": dg.Field(dict, is_required=False),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Makes the run's Job. Raises DagsterLaunchFailedError when the cluster refuses it or cannot be reached."""
        run = context.dagster_run
        require_code_origin(run)
        try:
            self._launch_k8s_job_with_args(job_name_of(run), [*_COMMAND, run.run_id], run)
        except (ApiException, DagsterK8sUnrecoverableAPIError, DagsterK8sAPIRetryLimitExceeded) as error:
            refusal = getattr(error, "k8s_api_exception", error)
            why = f"{getattr(refusal, 'status', '')} {getattr(refusal, 'reason', '')}".strip()
            raise launch_failure(
                f"Kubernetes refused the Job of this run ({why}): give the daemon's service account the right to make "
                f"Jobs in the namespace {self.job_namespace}, and look at the quota there."
            ) from None
        except HTTPError as error:
            raise launch_failure(f"The API of Kubernetes cannot be reached ({type(error).__name__}).") from None

    def terminate(self, run_id: str) -> bool:
        """Deletes the run's Job: its process gets SIGTERM and stops the run. False: it has ended, or was not found."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        deleted = bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        run = self._instance.get_run_by_id(run_id) or run
        if deleted and not run.is_finished and process_of(run) is None:
            # Its pod had not begun it, so nobody else will say that it ended.
            self._instance.report_run_canceled(run)
        return deleted

    @property
    def supports_resume_run(self) -> bool:
        """Never: a run that was killed is failed, and started again as another run."""
        return False

    @property
    def supports_run_worker_crash_recovery(self) -> bool:
        """Never, for the same reason."""
        return False

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is alive; of one that has not begun, what Kubernetes says of its Job."""
        return super().check_run_worker_health(run) if process_of(run) is None else health_of(self._instance, run)


def job_name_of(run: dg.DagsterRun) -> str:
    """The name that Dagster's package gives to the Job of a run, and by which it finds the Job."""
    return str(get_job_name_from_run_id(run.run_id))  # type: ignore[no-untyped-call]
