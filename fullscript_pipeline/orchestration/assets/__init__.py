"""All assets, by family. What does not belong here: what they do (`extraction`, `adherence`, `catalog`, `reports`)."""

from fullscript_pipeline.orchestration.assets import adherence, catalog, clinic, orders, protocols, single_resources
from fullscript_pipeline.orchestration.assets.adherence import page_day_config
from fullscript_pipeline.orchestration.assets.asset_metadata import (
    column_meanings,
    columns_elsewhere,
    described,
    table_columns,
    with_code,
    with_columns,
)
from fullscript_pipeline.orchestration.assets.asset_specs import OWNER
from fullscript_pipeline.orchestration.assets.asset_steps import make_target, split_partition_key
from fullscript_pipeline.orchestration.assets.closed_days import CLOSED_DAY_TAG
from fullscript_pipeline.orchestration.assets.digest_rebuild import release_digest
from fullscript_pipeline.orchestration.assets.freshness import CURRENT_WITHIN, with_freshness
from fullscript_pipeline.orchestration.assets.orders import order_days_config
from fullscript_pipeline.orchestration.assets.page_links import VENDOR_DOCS, with_reference_links
from fullscript_pipeline.orchestration.assets.step_failures import Failed, pipeline_errors_as_failures

_WRITTEN = (
    clinic.clinic,
    clinic.people,
    clinic.patients,
    clinic.events,
    clinic.treatment_plans,
    orders.orders,
    orders.labs,
    orders.variants,
    protocols.library,
    protocols.custom_dosages,
    adherence.adherence,
    adherence.adherence_pages,
)
CLINIC_ASSETS = (*_WRITTEN, *single_resources.remaining_steps(_WRITTEN))
REGION_ASSETS = (
    catalog.reference_lists,
    catalog.products,
    catalog.catalog_changes,
    catalog.catalog_digest,
)
ALL_ASSETS = (*CLINIC_ASSETS, *REGION_ASSETS)

__all__ = [
    "ALL_ASSETS",
    "CLINIC_ASSETS",
    "CLOSED_DAY_TAG",
    "CURRENT_WITHIN",
    "OWNER",
    "REGION_ASSETS",
    "VENDOR_DOCS",
    "Failed",
    "adherence",
    "catalog",
    "column_meanings",
    "columns_elsewhere",
    "described",
    "make_target",
    "order_days_config",
    "orders",
    "page_day_config",
    "pipeline_errors_as_failures",
    "release_digest",
    "split_partition_key",
    "table_columns",
    "with_code",
    "with_columns",
    "with_freshness",
    "with_reference_links",
]
