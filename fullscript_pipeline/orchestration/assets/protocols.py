"""What a clinic keeps for re-use, ids of other systems, webhook deliveries, and what is read on request only.

What does not belong here: how the tables are read (`extraction.pulls`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.extraction.pulls import optional_resources as extra_pulls
from fullscript_pipeline.extraction.pulls import protocols_and_resources as library_pulls
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.resources.addresses import ADDRESSES_RESOURCE
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


@dg.multi_asset(
    name="library",
    specs=asset_specs.table_specs(*_LIBRARY),
)
def library(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Iterator[dg.MaterializeResult[None]]:
    with clinic_step(context, fullscript, warehouse) as step:
        settings = step.settings
        reports = library_pulls.pull_library(step.target, step.session, settings.sweep_days)
        reports += extra_pulls.pull_clinic_extras(step.target, step.session, settings.extras, settings.sweep_days)
        yield from step.results(reports, *_LIBRARY)
