"""All assets, by family. What does not belong here: what they do (`extraction`, `adherence`, `catalog`, `reports`)."""

from fullscript_pipeline.orchestration.assets import adherence, catalog, clinic, orders, protocols

CLINIC_ASSETS = (
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
REGION_ASSETS = (
    catalog.reference_lists,
    catalog.products,
    catalog.catalog_changes,
    catalog.catalog_digest,
)
ALL_ASSETS = (*CLINIC_ASSETS, *REGION_ASSETS)

__all__ = ["ALL_ASSETS", "CLINIC_ASSETS", "REGION_ASSETS"]
