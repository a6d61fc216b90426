"""Removes runs and their event logs after a retention time. What the grid shows stays.

A run is its events, and a row with its tags. Materializations, observations and check results stay when the run goes:
Dagster's `delete_run` would remove them too. In SQLite each run's events are a file, and an index has copies of those
that concern assets; on PostgreSQL all are in one table. What a run planned goes with it, because only a run that can be
looked up may still be at work or have failed; so does the event of a check result, which has a table of its own. The
private names are pinned with Dagster's version, and a test compares the grid before and after. What does not belong
here: when a run is old (`settings`).
"""

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import dagster as dg
from dagster._core.events import ASSET_EVENTS, DagsterEventType
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from sqlalchemy import or_

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.runtime.resources import SettingsResource
from fullscript_pipeline.plural import counted

# Failed runs are evidence: they are kept this many times as long.
FAILURES_KEPT = 3
# A command that removes them on its way, and a sensor that may take 60 s, remove no more than this at once.
_MOST_AT_ONCE = 300
_KEPT = [event.value for event in ASSET_EVENTS - {DagsterEventType.ASSET_MATERIALIZATION_PLANNED}]
_ENDED_WELL = (dg.DagsterRunStatus.SUCCESS,)
_ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def remove_old_runs(instance: dg.DagsterInstance, keep_days: int) -> int:
    """Removes runs that ended more than `keep_days` ago (failed ones: FAILURES_KEPT times as long); returns how many.

    0 keeps all. An interrupted removal is repeated: the row of a run goes last.
    """
    events = instance.event_log_storage
    if not keep_days or not isinstance(events, SqlEventLogStorage):
        return 0
    old = [*_ended(instance, _ENDED_WELL, keep_days), *_ended(instance, _ENDED_BADLY, keep_days * FAILURES_KEPT)]
    for run_id in old[:_MOST_AT_ONCE]:
        _remove_run(instance, events, run_id)
    return len(old[:_MOST_AT_ONCE])


def _ended(instance: dg.DagsterInstance, statuses: Sequence[dg.DagsterRunStatus], keep_days: int) -> list[str]:
    before = clock.real_now() - timedelta(days=keep_days)
    filters = dg.RunsFilter(statuses=list(statuses), updated_before=before)
    records = instance.get_run_records(filters, limit=_MOST_AT_ONCE, ascending=True)
    return [record.dagster_run.run_id for record in records]


def _remove_run(instance: dg.DagsterInstance, events: SqlEventLogStorage, run_id: str) -> None:
    table = SqlEventLogStorageTable.c
    with events.index_connection() as connection:
        connection.execute(
            SqlEventLogStorageTable.delete().where(
                table.run_id == run_id,
                or_(table.dagster_event_type.is_(None), table.dagster_event_type.not_in(_KEPT)),
            )
        )
    if isinstance(events, SqliteEventLogStorage):
        shard = Path(events.path_for_shard(run_id))
        for path in (shard, *(shard.with_name(f"{shard.name}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
            path.unlink(missing_ok=True)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
    runs = instance.run_storage
    if isinstance(runs, SqlRunStorage):
        with runs.connect() as connection:
            connection.execute(RunTagsTable.delete().where(RunTagsTable.c.run_id == run_id))
    runs.delete_run(run_id)


@dg.sensor(
    name="old_runs_sensor",
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Removes runs and their logs after FULLSCRIPT_KEEP_RUNS_DAYS, failed ones after three times as long. "
    "Materializations, observations and check results stay.",
)
def old_runs_sensor(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SkipReason:
    keep_days = settings.read().keep_runs_days
    if not keep_days:
        return dg.SkipReason("Runs are kept for ever (FULLSCRIPT_KEEP_RUNS_DAYS is 0).")
    removed = remove_old_runs(context.instance, keep_days)
    return dg.SkipReason(
        f"Removed {counted(removed, 'run')}, which ended more than {counted(keep_days, 'day')} ago."
        if removed
        else f"No run ended more than {counted(keep_days, 'day')} ago."
    )
