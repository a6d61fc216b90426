"""The job that joins the small files of a lake, and its schedule; where the warehouse is a file it never runs.

What does not belong here: how that is done (`warehouse.lake`).
"""

import dagster as dg

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
    description="Joins the small files that every load leaves in a lake. Loads wait for it. Its schedule requests it.",
)
def lake_upkeep() -> None:
    tidy_lake()


def lake_upkeep_schedule(_context: dg.ScheduleEvaluationContext, state: StateResource) -> dg.RunRequest | dg.SkipReason:
    if not state.settings.read().lake_catalog:
        return dg.SkipReason("FULLSCRIPT_WAREHOUSE_URL is not set: the warehouse is a file, which needs no upkeep.")
    return dg.RunRequest()
