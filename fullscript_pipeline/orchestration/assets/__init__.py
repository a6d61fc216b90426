"""All assets, by family. What does not belong here: what they do (`extraction`, `adherence`, `catalog`, `reports`)."""

from fullscript_pipeline.orchestration.assets import adherence, catalog, clinic, orders, protocols, single_resources

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

__all__ = ["ALL_ASSETS", "CLINIC_ASSETS", "REGION_ASSETS"]
