"""All assets, by family. What does not belong here: what they do (`extraction`, `adherence`, `catalog`, `reports`)."""

from fullscript_pipeline.orchestration.assets import adherence, catalog, clinical, commerce, library

CLINIC_ASSETS = (
    clinical.clinic,
    clinical.people,
    clinical.patients,
    clinical.events,
    clinical.treatment_plans,
    commerce.orders,
    commerce.labs,
    commerce.variants,
    library.library,
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
