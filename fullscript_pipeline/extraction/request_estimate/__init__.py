"""Estimates how many requests a pull would make."""

from fullscript_pipeline.extraction.request_estimate.clinic import estimate_clinic, estimate_order_days
from fullscript_pipeline.extraction.request_estimate.estimate import (
    EstimateLine,
    Pace,
    RowCounter,
    minutes_at_budget,
    no_counting,
    requests_by_resource,
)
from fullscript_pipeline.extraction.request_estimate.region import estimate_region

__all__ = [
    "EstimateLine",
    "Pace",
    "RowCounter",
    "estimate_clinic",
    "estimate_order_days",
    "estimate_region",
    "minutes_at_budget",
    "no_counting",
    "requests_by_resource",
]
