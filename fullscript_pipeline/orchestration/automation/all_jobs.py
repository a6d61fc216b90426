"""Every job. What does not belong here: the jobs themselves."""

from fullscript_pipeline.orchestration.automation.jobs import (
    catalog_daily,
    clinic_daily,
    clinic_refresh,
    clinic_sweep,
    orders_backfill,
)
from fullscript_pipeline.orchestration.automation.lake_upkeep_job import lake_upkeep
from fullscript_pipeline.orchestration.automation.overview_job import operators_overview
from fullscript_pipeline.orchestration.automation.patient_read_job import patient_read

ALL_JOBS = (
    clinic_daily,
    catalog_daily,
    orders_backfill,
    clinic_refresh,
    clinic_sweep,
    patient_read,
    operators_overview,
    lake_upkeep,
)
