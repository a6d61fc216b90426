"""The list of every table that is filled from the API, in one place.

What does not belong here: the description of a table (`clinic_tables` and its siblings), tables that we compute or
keep for ourselves (`upgrades`).
"""

from fullscript_pipeline.warehouse.schema import (
    catalog_tables,
    clinic_tables,
    event_tables,
    lab_tables,
    order_tables,
    protocol_tables,
)
from fullscript_pipeline.warehouse.schema.table_description import Table, family

ALL_TABLES: tuple[Table, ...] = family(
    clinic_tables.CLINICS,
    clinic_tables.PRACTITIONERS,
    clinic_tables.STAFF,
    clinic_tables.PATIENTS,
    clinic_tables.TREATMENT_PLANS,
    order_tables.ORDERS,
    lab_tables.LAB_ORDERS,
    lab_tables.LAB_TESTS,
    catalog_tables.BRANDS,
    catalog_tables.PRODUCTS,
    catalog_tables.INGREDIENTS,
    catalog_tables.ALLERGENS,
    catalog_tables.SUPPLEMENT_TYPES,
    catalog_tables.THIRD_PARTY_CERTIFICATIONS,
    catalog_tables.PRACTITIONER_TYPES,
    catalog_tables.CATEGORIES,
    catalog_tables.CATEGORY_PRODUCTS,
    catalog_tables.CLINIC_BRANDS,
    catalog_tables.SIMILAR_PRODUCTS,
    catalog_tables.PRODUCT_SEARCHES,
    protocol_tables.PROTOCOLS,
    protocol_tables.PRACTITIONER_PROTOCOLS,
    protocol_tables.TEMPLATES,
    protocol_tables.RESOURCES,
    protocol_tables.PRACTITIONER_RESOURCES,
    protocol_tables.EXTERNAL_IDS,
    protocol_tables.ADDRESSES,
    protocol_tables.WEBHOOK_DELIVERIES,
    event_tables.EVENTS,
)
