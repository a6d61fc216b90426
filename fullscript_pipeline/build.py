"""Assembles the Dagster graph: tests, command line and UI get the same one from `build_defs`.

What does not belong here: assets, sensors, resources themselves (`orchestration`).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from fullscript_pipeline.orchestration.assets import CLINIC_ASSETS, REGION_ASSETS, described
from fullscript_pipeline.orchestration.automation import ALL_JOBS, ALL_SENSORS, health_checks, make_schedules
from fullscript_pipeline.orchestration.checks import ALL_CHECKS, OPERATIONS
from fullscript_pipeline.orchestration.runtime import (
    clinic_days,
    make_console,
    make_resources,
    print_json_by_default,
    region_days,
)
from fullscript_pipeline.settings import Settings

# Dagster warns of its own beta parameter inside @sensor; and of clinic_daily, where a range of orders is one run and
# everything else a run per day, which is what is wanted.
warnings.filterwarnings(
    "ignore", message="Parameter `owners` of initializer `SensorDefinition", category=dg.BetaWarning
)
warnings.filterwarnings("ignore", message="Asset job clinic_daily materializes assets with varying BackfillPolicies")


def build_defs(
    read_settings: Callable[..., Settings], resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Builds a new graph. `read_settings` makes the settings, now for the graph and later for every run.

    `resource_overrides` replaces resources by key (`make_resources`), wherever they are used.
    """
    settings = read_settings()
    print_json_by_default(settings)
    assets = [
        *with_partitions(CLINIC_ASSETS, clinic_days(settings)),
        *with_partitions(REGION_ASSETS, region_days(settings)),
    ]
    return dg.Definitions(
        assets=[*described(assets), *OPERATIONS],
        asset_checks=list(ALL_CHECKS),
        jobs=[*ALL_JOBS, health_checks],
        schedules=make_schedules(settings),
        sensors=list(ALL_SENSORS),
        resources=make_resources(read_settings, resource_overrides),
        loggers={"console": make_console(settings)},
        # A run is a process; steps are not: 20 steps cost 3.4 CPU s this way, 55.7 with a process each.
        executor=dg.in_process_executor,
    )


def with_partitions(
    assets: Sequence[dg.AssetsDefinition], partitions: dg.PartitionsDefinition[Any]
) -> list[dg.AssetsDefinition]:
    """The same assets with these partitions."""
    return [asset.map_asset_specs(lambda spec: spec.replace_attributes(partitions_def=partitions)) for asset in assets]
