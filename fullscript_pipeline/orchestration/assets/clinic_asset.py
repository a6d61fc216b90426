"""What makes a function the step of a clinic's day: its tables, and its place in the order of work.

The order is no lineage: an edge of the graph says that a table is made from another one's rows. A step comes after
others by its priority, and does not start when one that it waits for has failed. What does not belong here: what a
step pulls.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

import dagster as dg

from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.closed_days import of_the_present
from fullscript_pipeline.resources.types import Resource

Results = Iterator[dg.MaterializeResult[None]]

# For each step: the steps that come before it. Any other one comes after `clinic` alone.
_COMES_AFTER: Mapping[str, tuple[str, ...]] = {
    "clinic": (),
    # Plans are read after what says whose plans changed, and are the last thing that answers an event.
    "treatment_plans": ("patients", "events", "orders", "labs"),
    "library": ("people", "patients"),
}
# Before the lists: only what is read after an event answers it. Lists need no feed, so they do not wait for it.
_BEFORE_THE_LISTS = "events"


def clinic_asset(
    name: str, *resources: Resource, fills_past_days: bool = False, **options: Any
) -> Callable[[Callable[..., Results]], dg.AssetsDefinition]:
    """Defines the asset of a clinic's day that pulls these resources. `options`: others of `multi_asset`.

    `fills_past_days`: it can also be pulled for days that are over.
    """

    def define(step: Callable[..., Results]) -> dg.AssetsDefinition:
        present = step if fills_past_days else of_the_present(step)
        return dg.multi_asset(
            name=name,
            specs=asset_specs.table_specs(*resources),
            op_tags={"dagster/priority": str(_priority(name))},
            **options,
        )(_in_its_turn(name, present))

    return define


def steps_before(name: str) -> set[str]:
    """All steps that come before this one, directly or not."""
    direct = _COMES_AFTER.get(name, ("clinic",))
    return set(direct).union(*(steps_before(before) for before in direct))


def _priority(name: str) -> int:
    """Higher comes first: steps with fewer steps before them."""
    return 100 - 10 * len(steps_before(name)) + (name == _BEFORE_THE_LISTS)


def _in_its_turn(name: str, step: Callable[..., Results]) -> Callable[..., Results]:
    """The same step, which does nothing after a failure of a step that comes before it in the run."""

    @wraps(step)
    def run_in_turn(context: dg.AssetExecutionContext, **arguments: object) -> Results:
        if failed := steps_before(name) & _failed_steps(context):
            context.log.warning(f"Nothing was pulled: {', '.join(sorted(failed))} comes first in this run, and failed.")
        else:
            yield from step(context, **arguments)

    return run_in_turn


def _failed_steps(context: dg.AssetExecutionContext) -> set[str]:
    failures = context.instance.get_records_for_run(context.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return {record.event_log_entry.step_key or "" for record in failures.records}
