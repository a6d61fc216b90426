"""Dagster's run launcher for several machines: a run is a task of a queue, which a worker on any machine takes.

`dagster.yaml` names this class where FULLSCRIPT_RUNNER is a queue, and nothing else imports it but the worker. The
task holds the run's id and where its code is; it leaves no result behind. Whether a run's process lives is seen in
PostgreSQL (`runtime.run_locks`), because a result would be "started" for ever after its worker was killed. What does
not belong here: executing a run (`worker`, `runtime.run_execution`).
"""

import os
import signal
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, pack_value, unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu.exceptions import OperationalError

from fullscript_pipeline.orchestration.runtime import (
    health_of,
    is_alive,
    launch_failure,
    process_of,
    require_code_origin,
)

_QUEUE = "dagster"
# A task that a worker has taken from the queue and not begun, because the worker was killed, returns after this time.
_TAKEN_SECONDS = 600
# Redis may be started anew: a launch that fails costs the run one of its two retries.
_AWAY_SECONDS = 60
_CONFIGURATION = {
    "task_ignore_result": True,
    # A worker takes a run when it can begin it: the next one may be begun by another worker.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_concurrency": 1,
    # A run's process returns its memory, and the next one begins with nothing of it.
    "worker_max_tasks_per_child": 1,
    # Dagster captures what a run prints by its streams, which Celery would replace.
    "worker_redirect_stdouts": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    "task_publish_retry_policy": {"max_retries": 100, "interval_start": 0.2, "interval_step": 0.4, "interval_max": 3},
    "broker_transport_options": {"visibility_timeout": _TAKEN_SECONDS, "connect_retries_timeout": _AWAY_SECONDS},
}


def run_of_task(packed: Any) -> str:
    """The id of the run that a task of Dagster's launcher asks for."""
    return unpack_value(packed, as_type=ExecuteRunArgs).run_id


class CeleryLauncher(CeleryRunLauncher):
    """`broker`: the address of the queue."""

    def __init__(self, broker: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(_QUEUE, broker=broker, config_source=_CONFIGURATION, inst_data=inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"broker": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Puts the run into the queue. Raises DagsterLaunchFailedError when the queue cannot be reached."""
        run = context.dagster_run
        origin = require_code_origin(run)
        task = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=self._instance.get_ref())
        # By its name: Dagster's own launch registers the task for each run anew, of which Celery warns.
        signature = self.celery.signature(
            TASK_EXECUTE_JOB_NAME, kwargs={"execute_job_args_packed": pack_value(task)}, immutable=True
        )
        try:
            self._launch_celery_task_run(run, signature, TASK_EXECUTE_JOB_NAME)
        except OperationalError as error:
            parts = urlsplit(str(self.broker))
            raise launch_failure(
                f"The queue of runs at {parts.hostname}:{parts.port or 6379} cannot be reached ({error}): start Redis, "
                "or correct FULLSCRIPT_RUNNER."
            ) from None

    def terminate(self, run_id: str) -> bool:
        """Asks the run's process to stop, wherever it is. False: it has ended, or cannot be reached from here."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        process, task = process_of(run), run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if process is None:
            # The worker that takes it from the queue leaves it alone.
            self._instance.report_run_canceled(run)
        elif process.is_alive():
            os.kill(process.pid, signal.SIGINT)
        elif task and is_alive(self._instance, run):
            self.celery.control.revoke(task, terminate=True, signal="SIGINT")
        else:
            self._instance.report_engine_event("The process of this run cannot be reached from here.", run)
            return False
        return True

    @property
    def supports_resume_run(self) -> bool:
        """Never: a run that was killed is failed, and started again as another run."""
        return False

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is alive, on whichever machine."""
        return health_of(self._instance, run)

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Nothing: there is no result to ask for."""
        return None
