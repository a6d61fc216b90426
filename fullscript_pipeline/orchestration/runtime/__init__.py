"""Instance, resources, partitions and runs: what Dagster needs before an asset can run."""

from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.change_notices import (
    notice_targets,
    queue_change_notice,
    send_change_notices,
)
from fullscript_pipeline.orchestration.runtime.clock_repair import ClockRepair
from fullscript_pipeline.orchestration.runtime.console_logging import make_console, print_json_by_default
from fullscript_pipeline.orchestration.runtime.in_process_runs import Outcome, fail_orphans, run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance, prepare_home
from fullscript_pipeline.orchestration.runtime.launch_failures import launch_failure, require_code_origin
from fullscript_pipeline.orchestration.runtime.old_runs import old_runs_sensor, remove_old_runs
from fullscript_pipeline.orchestration.runtime.orphans import health_of, is_alive, orphaned_runs_sensor, process_of
from fullscript_pipeline.orchestration.runtime.outgoing import post_to_url, send_to_command
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
from fullscript_pipeline.orchestration.runtime.run_execution import execute_launched_run, execute_run, stop_by_signals

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
    "console_logging",
    "execute_launched_run",
    "execute_run",
    "fail_orphans",
    "health_of",
    "is_alive",
    "launch_failure",
    "make_console",
    "make_resources",
    "notice_targets",
    "old_runs_sensor",
    "open_instance",
    "orphaned_runs_sensor",
    "post_to_url",
    "prepare_home",
    "print_json_by_default",
    "process_of",
    "queue_change_notice",
    "region_days",
    "region_partition",
    "remove_old_runs",
    "require_code_origin",
    "run_job",
    "send_change_notices",
    "send_to_command",
    "stop_by_signals",
]
