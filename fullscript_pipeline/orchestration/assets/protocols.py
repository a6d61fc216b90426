"""What a clinic keeps for re-use, ids of other systems, webhook deliveries, and what is read on request only.

What does not belong here: how the tables are read (`extraction.pulls`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.extraction.pulls import optional_resources as extra_pulls
from fullscript_pipeline.extraction.pulls import protocols_and_resources as library_pulls
from fullscript_pipeline.extraction.pulls import pull_custom_dosages
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step
from fullscript_pipeline.orchestration.assets.clinic_asset import clinic_asset
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.resources.addresses import ADDRESSES_RESOURCE
from fullscript_pipeline.resources.custom_dosages import CUSTOM_DOSAGES_RESOURCE
from fullscript_pipeline.resources.documents import RESOURCES_RESOURCE
from fullscript_pipeline.resources.external_ids import EXTERNAL_IDS_RESOURCE
from fullscript_pipeline.resources.protocols import PROTOCOLS_RESOURCE
from fullscript_pipeline.resources.templates import TEMPLATES_RESOURCE
from fullscript_pipeline.resources.webhook_deliveries import WEBHOOK_DELIVERIES_RESOURCE

_LIBRARY = (
    PROTOCOLS_RESOURCE,
    RESOURCES_RESOURCE,
    EXTERNAL_IDS_RESOURCE,
    WEBHOOK_DELIVERIES_RESOURCE,
    ADDRESSES_RESOURCE,
    TEMPLATES_RESOURCE,
)


@clinic_asset("library", *_LIBRARY)
def library(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Iterator[dg.MaterializeResult[None]]:
    with clinic_step(context, fullscript, warehouse) as step:
        settings = step.settings
        reports = library_pulls.pull_library(step.target, step.session, settings.sweep_days)
        reports += extra_pulls.pull_clinic_extras(step.target, step.session, settings.extras, settings.sweep_days)
        yield from step.results(reports, *_LIBRARY)


# A step of its own: it is made from plans, and the library does not wait for them.
@clinic_asset("custom_dosages", CUSTOM_DOSAGES_RESOURCE)
def custom_dosages(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Iterator[dg.MaterializeResult[None]]:
    with clinic_step(context, fullscript, warehouse) as step:
        is_wanted = CUSTOM_DOSAGES_RESOURCE.option in step.settings.extras
        reports = [pull_custom_dosages(step.target, step.session, step.settings.sweep_days)] if is_wanted else []
        yield from step.results(reports, CUSTOM_DOSAGES_RESOURCE)
