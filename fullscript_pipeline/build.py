"""Assembles the Dagster graph: tests, command line and UI get the same one from `build_defs`.

What does not belong here: assets, sensors, resources themselves (`orchestration`).
"""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from fullscript_pipeline.orchestration.assets import ALL_ASSETS
from fullscript_pipeline.orchestration.assets.asset_metadata import described
from fullscript_pipeline.orchestration.automation import ALL_JOBS, ALL_SCHEDULES, ALL_SENSORS, health_checks
from fullscript_pipeline.orchestration.checks import ALL_CHECKS, OPERATIONS
from fullscript_pipeline.orchestration.runtime import FullscriptResource, ReportsResource, WarehouseResource, console

# Dagster warns of its own beta parameter inside @sensor; and of clinic_daily, where a range of orders is one run and
# everything else a run per day, which is what is wanted.
warnings.filterwarnings(
    "ignore", message="Parameter `owners` of initializer `SensorDefinition", category=dg.BetaWarning
)
warnings.filterwarnings("ignore", message="Asset job clinic_daily materializes assets with varying BackfillPolicies")


def build_defs(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """A fresh graph. `resource_overrides` replaces resources by key (fullscript, warehouse, reports)."""
    resources = {
        "fullscript": FullscriptResource(),
        "warehouse": WarehouseResource(),
        "reports": ReportsResource(),
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=[*described(ALL_ASSETS), *OPERATIONS],
        asset_checks=list(ALL_CHECKS),
        jobs=[*ALL_JOBS, health_checks],
        schedules=list(ALL_SCHEDULES),
        sensors=list(ALL_SENSORS),
        resources=resources,
        loggers={"console": console},
        # A run is a process; steps are not: 20 steps cost 3.4 CPU s this way, 55.7 with a process each.
        executor=dg.in_process_executor,
    )
