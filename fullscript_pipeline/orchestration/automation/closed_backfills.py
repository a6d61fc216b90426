"""Backfills over days that are over: Dagster ends them as failed, although no run failed; here they end well.

A run of such a day makes nothing and says why (`assets.closed_days`), and Dagster counts what a backfill's runs did not
make as failed. The private names are pinned with Dagster's version, and a test in a browser holds them. What does not
belong here: backfills of which a run failed, which stay as they are.
"""

from datetime import timedelta

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import BACKFILL_ID_TAG, PARTITION_NAME_TAG

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets import CLOSED_DAY_TAG
from fullscript_pipeline.plural import counted

_DAYS_BACK = 2
_AT_ONCE = 20


@dg.sensor(
    name="closed_backfills_sensor",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends a backfill as successful when all its runs succeeded and only days that are over were left out.",
)
def closed_backfills_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    repository = context.repository_def
    if repository is None:
        return dg.SkipReason("The definitions are not loaded.")
    ended_badly = BulkActionsFilter(
        statuses=[BulkActionStatus.COMPLETED_FAILED],
        created_after=clock.real_now() - timedelta(days=_DAYS_BACK),
    )
    ended_well = 0
    for backfill in context.instance.get_backfills(filters=ended_badly, limit=_AT_ONCE):
        ended_well += end_well(context.instance, backfill, repository.asset_graph)
    if not ended_well:
        return dg.SkipReason("No backfill ended as failed because of days that are over.")
    return dg.SkipReason(f"{counted(ended_well, 'backfill')} had no failed run: only days that are over were left out.")


def end_well(instance: dg.DagsterInstance, backfill: PartitionBackfill, graph: AssetGraph) -> bool:
    """Whether only cells whose day is over are lacking; then the backfill is of the other cells, and successful."""
    runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: backfill.backfill_id}))
    if not backfill.is_asset_backfill or any(run.status is not dg.DagsterRunStatus.SUCCESS for run in runs):
        return False
    over = {run.tags.get(PARTITION_NAME_TAG) for run in runs if CLOSED_DAY_TAG in run.tags}
    made = backfill.get_asset_backfill_data(graph)
    left_out = made.failed_and_downstream_subset
    if not {cell.partition_key for cell in left_out.iterate_asset_partitions()} <= over:
        return False
    others = made._replace(
        target_subset=made.target_subset - left_out,
        requested_subset=made.requested_subset - left_out,
        failed_and_downstream_subset=left_out - left_out,
    )
    updated = backfill.with_asset_backfill_data(others, dynamic_partitions_store=instance, asset_graph=graph)
    instance.update_backfill(updated._replace(status=BulkActionStatus.COMPLETED_SUCCESS))
    return True
