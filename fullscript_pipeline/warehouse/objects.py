"""The list of every table that is filled from the API, in one place."""

from fullscript_pipeline.warehouse import catalog, clinical, commerce, events, labs, library
from fullscript_pipeline.warehouse.tables import Table, family

ALL_TABLES: tuple[Table, ...] = family(
    clinical.CLINICS,
    clinical.PRACTITIONERS,
    clinical.STAFF,
    clinical.PATIENTS,
    clinical.TREATMENT_PLANS,
    commerce.ORDERS,
    labs.LAB_ORDERS,
    labs.LAB_TESTS,
    catalog.BRANDS,
    catalog.PRODUCTS,
    catalog.INGREDIENTS,
    catalog.ALLERGENS,
    catalog.SUPPLEMENT_TYPES,
    catalog.THIRD_PARTY_CERTIFICATIONS,
    catalog.PRACTITIONER_TYPES,
    catalog.CATEGORIES,
    catalog.CATEGORY_PRODUCTS,
    catalog.CLINIC_BRANDS,
    catalog.SIMILAR_PRODUCTS,
    catalog.PRODUCT_SEARCHES,
    library.PROTOCOLS,
    library.PRACTITIONER_PROTOCOLS,
    library.TEMPLATES,
    library.RESOURCES,
    library.PRACTITIONER_RESOURCES,
    library.EXTERNAL_IDS,
    library.ADDRESSES,
    library.WEBHOOK_DELIVERIES,
    events.EVENTS,
)
