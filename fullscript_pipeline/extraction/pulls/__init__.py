"""One module per kind of pull."""

from fullscript_pipeline.extraction.pulls import (
    catalog,
    clinic,
    event_feeds,
    lab_orders,
    missing_variants,
    optional_resources,
    orders,
    protocols_and_resources,
    treatment_plans,
)
from fullscript_pipeline.extraction.pulls.catalog import REFERENCE_LISTS
from fullscript_pipeline.extraction.pulls.catalog_coverage import sighting_recorder
from fullscript_pipeline.extraction.pulls.clinic import has_names_only
from fullscript_pipeline.extraction.pulls.custom_dosages import pull_custom_dosages, recommended_pairs
from fullscript_pipeline.extraction.pulls.event_details import MOST_DETAILS, land_event_details, landed_details
from fullscript_pipeline.extraction.pulls.event_feeds import (
    FEED_REFUSALS,
    PRODUCT_FEED_CURSOR,
    feeds_of,
    record_feed_gap,
)
from fullscript_pipeline.extraction.pulls.lab_orders import TESTS_SWEEP_DAYS, with_results
from fullscript_pipeline.extraction.pulls.orders import OVERLAP, TRAILING_DAYS, Window, daily_window, sweep_window
from fullscript_pipeline.extraction.pulls.patient_lab_orders import (
    has_tests_and_results,
    iter_listed_lab_orders,
    land_lab_orders,
    order_may_hold_labs,
    patient_id_of,
    plan_may_hold_labs,
)
from fullscript_pipeline.extraction.pulls.patient_orders import (
    complete_order_lines,
    pull_orders_of_departed_patients,
    refetch_orders,
    stored_orders_by_patient,
)
from fullscript_pipeline.extraction.pulls.patient_relationships import Relationships, find_former_dependents
from fullscript_pipeline.extraction.pulls.product_events import pull_product_events
from fullscript_pipeline.extraction.pulls.products import complete_products, product_id_of
from fullscript_pipeline.extraction.pulls.treatment_plans import due_patients
from fullscript_pipeline.extraction.pulls.whole_lists import find_pull, pull_whole_list

__all__ = [
    "FEED_REFUSALS",
    "MOST_DETAILS",
    "OVERLAP",
    "PRODUCT_FEED_CURSOR",
    "REFERENCE_LISTS",
    "TESTS_SWEEP_DAYS",
    "TRAILING_DAYS",
    "Relationships",
    "Window",
    "catalog",
    "clinic",
    "complete_order_lines",
    "complete_products",
    "daily_window",
    "due_patients",
    "event_feeds",
    "feeds_of",
    "find_former_dependents",
    "find_pull",
    "has_names_only",
    "has_tests_and_results",
    "iter_listed_lab_orders",
    "lab_orders",
    "land_event_details",
    "land_lab_orders",
    "landed_details",
    "missing_variants",
    "optional_resources",
    "order_may_hold_labs",
    "orders",
    "patient_id_of",
    "plan_may_hold_labs",
    "product_id_of",
    "protocols_and_resources",
    "pull_custom_dosages",
    "pull_orders_of_departed_patients",
    "pull_product_events",
    "pull_whole_list",
    "recommended_pairs",
    "record_feed_gap",
    "refetch_orders",
    "sighting_recorder",
    "stored_orders_by_patient",
    "sweep_window",
    "treatment_plans",
    "with_results",
]
