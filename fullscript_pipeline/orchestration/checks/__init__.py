"""Asset checks: what must be true of a table after a run wrote it. What does not belong here: the rules of `doctor`."""

from fullscript_pipeline.orchestration.checks.all_checks import ALL_CHECKS, every_clinic_is_current
from fullscript_pipeline.orchestration.checks.drift import DRIFT_CHECKS
from fullscript_pipeline.orchestration.checks.events import EVENT_CHECKS
from fullscript_pipeline.orchestration.checks.health import HEALTH_CHECKS, OPERATIONS
from fullscript_pipeline.orchestration.checks.listings import LISTING_CHECKS

__all__ = [
    "ALL_CHECKS",
    "DRIFT_CHECKS",
    "EVENT_CHECKS",
    "HEALTH_CHECKS",
    "LISTING_CHECKS",
    "OPERATIONS",
    "every_clinic_is_current",
]
