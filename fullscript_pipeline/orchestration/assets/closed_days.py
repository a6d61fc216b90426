"""What a step does in a partition whose day is over: nothing, and it says why; the run does not fail.

Lists and marts show the present, so such a partition could only hold data of another day. What does not belong here:
steps that can make a past day (orders, pages, digests).
"""

from collections.abc import Callable, Iterator
from datetime import date
from functools import wraps

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets.asset_steps import partition_of
from fullscript_pipeline.orchestration.assets.owners import tag_run_with_owner
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import WarehouseResource
from fullscript_pipeline.settings import Settings

Results = Iterator[dg.MaterializeResult[None]]

# On a run that left such partitions as they were: its success says nothing about pulls of the present.
CLOSED_DAY_TAG = "fullscript/closed_day"


def of_the_present(step: Callable[..., Results]) -> Callable[..., Results]:
    """The same step, which makes nothing when the day of its partition is over or has not begun."""

    @wraps(step)
    def make_present(
        context: dg.AssetExecutionContext, *, warehouse: WarehouseResource, **resources: object
    ) -> Results:
        with pipeline_errors_as_failures():
            tag_run_with_owner(context)
            owner, day = partition_of(context)
            reason = closed_reason(owner, day, warehouse.settings.read())
        if reason is None:
            yield from step(context, warehouse=warehouse, **resources)
            return
        context.log.warning(reason)
        context.instance.add_run_tags(context.run.run_id, {CLOSED_DAY_TAG: day.isoformat()})
        for key in sorted(context.selected_asset_keys):
            context.log_event(dg.AssetObservation(key, description=reason, partition=context.partition_key))

    return make_present


def closed_reason(owner: str, day: date, settings: Settings) -> str | None:
    """Why nothing can be pulled into a partition; None when its day is the present one."""
    if clock.cell_is_open(day, settings.time_zone):
        return None
    today = clock.today(settings.time_zone)
    return (
        f"{owner}, {day}: nothing was made, and nothing was changed. Lists show the present, so this cell could only "
        f"be filled on its day (or before 06:00 of the next); it is {today} now ({settings.time_zone}). Pull {today}; "
        "orders of past days are fetched with the job orders_backfill, pages of a past day rebuilt with `report "
        f"adherence --as-of {day}`."
    )
