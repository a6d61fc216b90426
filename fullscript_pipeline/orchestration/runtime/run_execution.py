"""Executes a run that was launched, in this process: for a fork of `run_parent`, a worker of the queue and a pod.

What does not belong here: how the process came to be (`run_parent`, `orchestration.worker`, `orchestration.run_in_pod`)
and runs that a command makes itself (`in_process_runs`).
"""

import logging
import os
import signal

import dagster as dg
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import process_tags
from fullscript_pipeline.orchestration.runtime.run_locks import held_by_this_process
from fullscript_pipeline.settings import Settings

# One that is stopped before it began ends as canceled.
_TO_EXECUTE = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING)
_log = logging.getLogger(__name__)


def stop_by_signals() -> None:
    """SIGINT and SIGTERM stop this process, and SIGTERM the programs that it starts. The first process of a container
    ignores them otherwise, and so does one that a shell started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))


def execute_launched_run(settings: Settings, run_id: str) -> bool:
    """Executes the run of this data directory's history. False: it was not begun, or it raised; the log says which."""
    try:
        instance = open_instance(settings)
    except PipelineError as error:
        _log.error("Run %s was not begun: %s", run_id, error)
        return False
    try:
        with instance:
            execute_run(instance, run_id)
    except BaseException as error:
        # The run's events say what failed; the error's text may quote data, so it is not for this process's log.
        _log.error("Run %s ended with %s; its events say more.", run_id, type(error).__name__)
        return False
    return True


def execute_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Executes the run as Dagster's own launcher does in a new process. SIGINT and SIGTERM stop it.

    A run that goes on elsewhere or has ended is left alone: a queue may hand out a run twice. What fails is in the
    run's events before this raises.
    """
    stop_by_signals()
    run = instance.get_run_by_id(run_id)
    if run is None or run.job_code_origin is None or run.status not in _TO_EXECUTE:
        return
    with capture_interrupts(), held_by_this_process(instance, run_id):
        instance.add_run_tags(run_id, process_tags(run_id))
        tagged = instance.get_run_by_id(run_id) or run
        for _ in core_execute_run(recon_job_from_origin(run.job_code_origin), tagged, instance, inject_env_vars=True):
            pass
