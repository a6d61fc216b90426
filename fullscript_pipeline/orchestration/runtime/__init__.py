"""Instance, resources, partitions and runs: what Dagster needs before an asset can run."""

from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.clock_repair import ClockRepair
from fullscript_pipeline.orchestration.runtime.console_logging import console
from fullscript_pipeline.orchestration.runtime.in_process_runs import Outcome, fail_orphans, run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance, prepare_home
from fullscript_pipeline.orchestration.runtime.orphans import orphaned_runs_sensor
from fullscript_pipeline.orchestration.runtime.partitions import (
    clinic_days,
    clinic_partition,
    clinics,
    region_days,
    region_partition,
)
from fullscript_pipeline.orchestration.runtime.resources import (
    FullscriptResource,
    ReportsResource,
    SettingsResource,
    StateResource,
    WarehouseResource,
    make_resources,
)

__all__ = [
    "ClockRepair",
    "FullscriptResource",
    "Outcome",
    "ReportsResource",
    "SettingsResource",
    "StateResource",
    "WarehouseResource",
    "add_clinic_partitions",
    "clinic_days",
    "clinic_partition",
    "clinics",
    "console",
    "console_logging",
    "fail_orphans",
    "make_resources",
    "open_instance",
    "orphaned_runs_sensor",
    "prepare_home",
    "region_days",
    "region_partition",
    "run_job",
]
