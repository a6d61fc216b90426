"""Marks runs as failed when their process is gone, whether a command or the daemon started it.

A run names its process in a tag. Where process ids are visible, the tag decides; elsewhere the locks that the process
holds do (`run_locks`). Runs of other machines are left alone where Dagster's history is not on PostgreSQL. What does
not belong here: executing a run (`in_process_runs`, `run_execution`).
"""

import os

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from fullscript_pipeline.orchestration.runtime.run_locks import is_held, remove_lock
from fullscript_pipeline.plural import counted
from fullscript_pipeline.process_identity import ProcessIdentity, started_after

# The id of the process that executes a run, for people.
PID_TAG = "fullscript/pid"
# The run id, then the full identity of the process. A re-execution inherits the tags, so the run id tells them apart.
PROCESS_TAG = "fullscript/process"
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Between the start of a process and the row of its run, as clocks of different precision see it.
_CLOCK_SLACK_SECONDS = 2.0


def process_tags(run_id: str) -> dict[str, str]:
    """The tags of a run that this process executes."""
    return {PID_TAG: str(os.getpid()), PROCESS_TAG: f"{run_id}/{ProcessIdentity.current()}"}


def process_of(run: dg.DagsterRun) -> ProcessIdentity | None:
    """The process that executes the run; None when the run names none."""
    run_id, _, identity = run.tags.get(PROCESS_TAG, "").partition("/")
    return ProcessIdentity.parse(identity) if run_id == run.run_id else None


def is_alive(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Whether the process that the run names is alive; None when it names none, or that is unknown here."""
    process = process_of(run)
    if process is None:
        return None
    alive = process.is_alive()
    return is_held(instance, run.run_id, is_on_this_machine=process.runs_on_this_kernel) if alive is None else alive


def health_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> CheckRunHealthResult:
    """The same for Dagster's run monitoring, which fails a run that is not said to be running."""
    alive = is_alive(instance, run)
    if alive is None:
        return CheckRunHealthResult(WorkerStatus.UNKNOWN, "The process of this run is not visible from here.")
    if alive:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, "The process of this run is gone.")


def fail_orphans(instance: dg.DagsterInstance) -> int:
    """Marks runs as failed whose process is gone (a kill, a power cut). Returns how many.

    Otherwise they look started forever, and the queue, limited to one run per clinic, would wait for them.
    """
    ended = 0
    for record in instance.get_run_records(filters=dg.RunsFilter(statuses=_UNFINISHED)):
        if not _is_gone(instance, record):
            continue
        # It may have finished between the two queries.
        run = instance.get_run_by_id(record.dagster_run.run_id)
        if run is not None and run.status in _UNFINISHED:
            instance.report_run_failed(
                run, "The process of this run is gone. Pull again: the next run resumes where this one stopped."
            )
            ended += 1
        remove_lock(instance, record.dagster_run.run_id)
    return ended


def _is_gone(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether this is a run that named its process, and that process has certainly ended."""
    run = record.dagster_run
    if process_of(run):
        return is_alive(instance, run) is False
    if PID_TAG in run.tags and PROCESS_TAG not in run.tags and PARENT_RUN_ID_TAG not in run.tags:
        return _pid_was_reused(run.tags[PID_TAG], record.create_timestamp.timestamp())
    return False


def _pid_was_reused(pid: str, created: float) -> bool:
    """For runs of an earlier version, which recorded only the pid: no process has it, or one that started later."""
    return not pid.isdigit() or started_after(int(pid), created + _CLOCK_SLACK_SECONDS) is not False


@dg.sensor(
    name="orphaned_runs_sensor",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process was killed; otherwise the queue would wait for hours.",
)
def orphaned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    ended = fail_orphans(context.instance)
    return dg.SkipReason(
        f"Marked {counted(ended, 'run')} whose process is gone as failed." if ended else "No run is orphaned."
    )
