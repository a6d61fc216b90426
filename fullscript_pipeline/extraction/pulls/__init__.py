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
from fullscript_pipeline.extraction.pulls.catalog_coverage import found
from fullscript_pipeline.extraction.pulls.clinic import is_thin
from fullscript_pipeline.extraction.pulls.event_feeds import (
    FEED_REFUSALS,
    HEARD,
    MOST_DETAILS,
    feeds_of,
    note_lost_span,
)
from fullscript_pipeline.extraction.pulls.lab_orders import TESTS_SWEEP_DAYS, with_results
from fullscript_pipeline.extraction.pulls.orders import OVERLAP, TRAILING_DAYS, Window, daily_window, sweep_window
from fullscript_pipeline.extraction.pulls.patient_lab_orders import (
    is_whole,
    list_labs_of,
    listed_labs,
    order_may_hold_labs,
    patient_of,
    plan_may_hold_labs,
)
from fullscript_pipeline.extraction.pulls.patient_orders import (
    order_lines,
    pull_orders_of_who_left,
    read_orders_of,
    stored_orders,
)
from fullscript_pipeline.extraction.pulls.patient_relationships import Ties, independent
from fullscript_pipeline.extraction.pulls.product_events import pull_product_events
from fullscript_pipeline.extraction.pulls.products import product_of, whole_products
from fullscript_pipeline.extraction.pulls.treatment_plans import due_patients
from fullscript_pipeline.extraction.pulls.whole_lists import find_pull, pull_whole_list

__all__ = [
    "FEED_REFUSALS",
    "HEARD",
    "MOST_DETAILS",
    "OVERLAP",
    "REFERENCE_LISTS",
    "TESTS_SWEEP_DAYS",
    "TRAILING_DAYS",
    "Ties",
    "Window",
    "catalog",
    "clinic",
    "daily_window",
    "due_patients",
    "event_feeds",
    "feeds_of",
    "find_pull",
    "found",
    "independent",
    "is_thin",
    "is_whole",
    "lab_orders",
    "list_labs_of",
    "listed_labs",
    "missing_variants",
    "note_lost_span",
    "optional_resources",
    "order_lines",
    "order_may_hold_labs",
    "orders",
    "patient_of",
    "plan_may_hold_labs",
    "product_of",
    "protocols_and_resources",
    "pull_orders_of_who_left",
    "pull_product_events",
    "pull_whole_list",
    "read_orders_of",
    "stored_orders",
    "sweep_window",
    "treatment_plans",
    "whole_products",
    "with_results",
]
