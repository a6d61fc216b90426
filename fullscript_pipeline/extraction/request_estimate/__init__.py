"""How many requests a pull would make."""

from fullscript_pipeline.extraction.request_estimate.clinic import plan_clinic, plan_order_days
from fullscript_pipeline.extraction.request_estimate.estimate import (
    Ask,
    BillLine,
    Pace,
    ask_nobody,
    by_resource,
    minutes,
)
from fullscript_pipeline.extraction.request_estimate.region import plan_region

__all__ = [
    "Ask",
    "BillLine",
    "Pace",
    "ask_nobody",
    "by_resource",
    "minutes",
    "plan_clinic",
    "plan_order_days",
    "plan_region",
]
