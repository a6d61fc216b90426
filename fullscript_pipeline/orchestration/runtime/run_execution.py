"""Executes a run that was launched, in this process: for a fork of `run_parent` and for a worker of the queue.

What does not belong here: how the process came to be (`run_parent`, `orchestration.worker`), runs that a command makes
itself (`in_process_runs`).
"""

import signal

import dagster as dg
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from fullscript_pipeline.orchestration.runtime.orphans import process_tags
from fullscript_pipeline.orchestration.runtime.run_locks import held_by_this_process

# One that is stopped before it began ends as canceled.
_TO_EXECUTE = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING)


def execute_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Executes the run as Dagster's own launcher does in a new process. SIGINT stops it.

    A run that goes on elsewhere or has ended is left alone: a queue may hand out a run twice. What fails is in the
    run's events before this raises.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run = instance.get_run_by_id(run_id)
    if run is None or run.job_code_origin is None or run.status not in _TO_EXECUTE:
        return
    with capture_interrupts(), held_by_this_process(instance, run_id):
        instance.add_run_tags(run_id, process_tags(run_id))
        tagged = instance.get_run_by_id(run_id) or run
        for _ in core_execute_run(recon_job_from_origin(run.job_code_origin), tagged, instance, inject_env_vars=True):
            pass
