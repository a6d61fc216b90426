"""The job that joins the small files of a lake, its schedule and its sensor. A file never needs it.

What does not belong here: how that is done (`warehouse.lake`).
"""

from datetime import timedelta

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import PRIORITY_TAG

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import StateResource, WarehouseResource
from fullscript_pipeline.plural import counted


@dg.op(description="Joins small files of the lake, and removes snapshots and files that nothing needs any more.")
def tidy_lake(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    with pipeline_errors_as_failures():
        files = warehouse.open().tidy()
    context.log.info("The warehouse is a file." if files is None else f"The lake has {counted(files, 'file')}.")


@dg.job(
    name="lake_upkeep",
    # Before the clinics that wait in the queue: each of them is faster after it.
    tags={PRIORITY_TAG: "10"},
    description="Joins the small files that every load leaves in a lake. Loads wait for it. It is requested every "
    "night, and whenever a table has many of them.",
)
def lake_upkeep() -> None:
    tidy_lake()


def lake_upkeep_schedule(_context: dg.ScheduleEvaluationContext, state: StateResource) -> dg.RunRequest | dg.SkipReason:
    if not state.settings.read().lake_catalog:
        return dg.SkipReason("FULLSCRIPT_WAREHOUSE_URL is not set: the warehouse is a file, which needs no upkeep.")
    return dg.RunRequest()


@dg.sensor(
    name="lake_upkeep_sensor",
    job=lake_upkeep,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests the upkeep of a lake once a table has so many small files that reading it takes long.",
)
def lake_upkeep_sensor(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    if not warehouse.open().has_many_files():
        return dg.SkipReason("No table of a lake has many small files.")
    going_on = dg.RunsFilter(job_name=lake_upkeep.name, statuses=NOT_FINISHED_STATUSES)
    if context.instance.get_run_records(going_on, limit=1):
        return dg.SkipReason("The upkeep of the lake is going on.")
    an_hour_ago = clock.real_now() - timedelta(hours=1)
    failed = dg.RunsFilter(job_name=lake_upkeep.name, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=an_hour_ago)
    if context.instance.get_run_records(failed, limit=1):
        return dg.SkipReason("The upkeep of the lake failed less than an hour ago; its run says why.")
    return dg.RunRequest()
