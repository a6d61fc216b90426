"""Marks runs as failed when their process is gone, whether a command or the daemon started it.

A run names its process in a tag, and the process holds a lock in the instance's home while it lives. Where process ids
are visible, the tag decides; in another container of this machine, the lock does. Runs of other machines are left to
Dagster's run monitoring (dagster.yaml). What does not belong here: executing a run (`in_process_runs`, `run_parent`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from fullscript_pipeline.plural import counted
from fullscript_pipeline.private_files import make_private_folder
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
_LOCKS = "headless"
# Between the start of a process and the row of its run, as clocks of different precision see it.
_CLOCK_SLACK_SECONDS = 2.0


def process_tags(run_id: str) -> dict[str, str]:
    """The tags of a run that this process executes."""
    return {PID_TAG: str(os.getpid()), PROCESS_TAG: f"{run_id}/{ProcessIdentity.current()}"}


@contextmanager
def held_by_this_process(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Holds the run's lock. The system releases it when this process dies for any reason."""
    path = _lock_path(instance, run_id)
    make_private_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):  # a file system without locks: the tag alone decides
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def process_of(run: dg.DagsterRun) -> ProcessIdentity | None:
    """The process that executes the run; None when the run names none."""
    run_id, _, identity = run.tags.get(PROCESS_TAG, "").partition("/")
    return ProcessIdentity.parse(identity) if run_id == run.run_id else None


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
        _lock_path(instance, record.dagster_run.run_id).unlink(missing_ok=True)
    return ended


def _is_gone(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether this is a run that named its process, and that process has certainly ended."""
    run = record.dagster_run
    if process := process_of(run):
        alive = process.is_alive()
        if alive is None and process.runs_on_this_kernel:
            alive = _is_locked(_lock_path(instance, run.run_id))
        return alive is False
    if PID_TAG in run.tags and PROCESS_TAG not in run.tags and PARENT_RUN_ID_TAG not in run.tags:
        return _pid_was_reused(run.tags[PID_TAG], record.create_timestamp.timestamp())
    return False


def _pid_was_reused(pid: str, created: float) -> bool:
    """For runs of an earlier version, which recorded only the pid: no process has it, or one that started later."""
    return not pid.isdigit() or started_after(int(pid), created + _CLOCK_SLACK_SECONDS) is not False


def _is_locked(path: Path) -> bool | None:
    """Whether a living process holds the lock; None when unknown."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(handle)


def _lock_path(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory) / _LOCKS / f"{run_id}.lock"


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
