"""A step for every resource of a clinic that no other module of this room pulls; a new resource needs no code here.

What does not belong here: a step that pulls several resources, or does more than pull (the other modules).
"""

from collections.abc import Collection, Iterator

import dagster as dg

from fullscript_pipeline.extraction.pulls import find_pull
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step
from fullscript_pipeline.orchestration.assets.clinic_asset import clinic_asset
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.types import Resource


def remaining_steps(written: Collection[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """One step for each resource of a clinic that has no step among `written`."""
    keys = {key for asset in written for key in asset.keys}
    return [
        single_step(resource)
        for resource in ALL_RESOURCES
        if resource.partition == "clinic"
        and any(dg.AssetKey(["core", table]) not in keys for table in resource.table_names)
    ]


def single_step(resource: Resource) -> dg.AssetsDefinition:
    """The asset that pulls one resource of a clinic."""
    pull = find_pull(resource)

    @clinic_asset(resource.name, resource)
    def pull_resource(
        context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        with clinic_step(context, fullscript, warehouse) as step:
            yield from step.results([pull(step.target, step.session)], resource)

    return pull_resource
