"""Jobs, schedules and sensors."""

from fullscript_pipeline.orchestration.automation.all_jobs import ALL_JOBS
from fullscript_pipeline.orchestration.automation.event_sensors import sweep_request
from fullscript_pipeline.orchestration.automation.failed_pull_sensor import PAGES, PAST_PAGES, TAG, can_be_rewritten
from fullscript_pipeline.orchestration.automation.refresh_requests import run_config
from fullscript_pipeline.orchestration.automation.schedules import health_checks, make_schedules
from fullscript_pipeline.orchestration.automation.sensors import ALL_SENSORS

__all__ = [
    "ALL_JOBS",
    "ALL_SENSORS",
    "PAGES",
    "PAST_PAGES",
    "TAG",
    "can_be_rewritten",
    "health_checks",
    "make_schedules",
    "run_config",
    "sweep_request",
]
