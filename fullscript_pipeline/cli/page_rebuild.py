"""Runs that rebuild adherence rows and pages without a pull.

What does not belong here: the options (`cli.report`), and pulls (`cli.pull_runner`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.cli.audited import DataSubjects, audit_logged
from fullscript_pipeline.cli.clinic_selection import select_clinics
from fullscript_pipeline.cli.console import print_data
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.errors import Busy, ConfigurationError, UsageError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance import open_report_store, open_warehouse, stored_warehouse
from fullscript_pipeline.orchestration.assets import page_day_config, split_partition_key
from fullscript_pipeline.orchestration.automation import PAGES, PAST_PAGES, TAG, can_be_rewritten
from fullscript_pipeline.orchestration.runtime import Outcome, add_clinic_partitions, clinic_partition, open_instance
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore


def write_pages(settings: Settings, clinics: Sequence[str], as_of: date | None) -> int:
    """Rebuilds the pages of these clinics (none named: all) as of a day; prints the path of each clinic's page."""
    settings.prepare_data_dir()
    today = clock.today(settings.time_zone)
    day = as_of or today
    if day > today or (settings.start_date and day < settings.start_date):
        since = f"between {settings.start_date} and" if settings.start_date else "not after"
        raise UsageError(f"--as-of {day} must be {since} today, {today}.")
    with StateStore.open(settings) as store:
        chosen = select_clinics(store, clinics)
        if not (stored := stored_warehouse(settings)).exists():
            raise stored.missing()
    place = open_files(settings, "reports").address("")
    with audit_logged(settings, "report adherence", whose=DataSubjects(clinics=chosen), destination=place) as record:
        instance = open_instance(settings)
        with StateStore.open(settings) as store:
            add_clinic_partitions(instance, store)
        open_warehouse(settings)
        code, outcomes = execute_runs(instance, [pages_run(settings, clinic.clinic_key, day) for clinic in chosen])
        written = [_written_pages(outcome) for _, outcome in outcomes]
        record.rows, record.exit_code = sum(int(pages.get("patient_pages", 0)) for pages in written), code
    for pages in written:
        if page := pages.get("page"):
            print_data(str(page))
    return code


def _written_pages(outcome: Outcome) -> Mapping[str, Any]:
    """What the run reports of its pages: pages of a day that is over are observed, not materialized."""
    return outcome.materialized.get("reports/adherence") or outcome.observed.get("reports/adherence", {})


def pages_run(settings: Settings, clinic_key: str, day: date) -> PlannedRun:
    """The run that rebuilds a clinic's adherence rows and pages of a day without a pull.

    Pages of a day that is over need no partition: their day is in the config of a run of today's.
    """
    present = clock.cell_is_open(day, settings.time_zone)
    return PlannedRun(
        label=f"{clinic_key} {day} pages",
        job="clinic_daily",
        partition=clinic_partition(clinic_key, day if present else clock.today(settings.time_zone)),
        run_config=None if present else page_day_config(day),
        tags={"fullscript/clinic": clinic_key, TAG: "yes"},
        assets=PAGES if present else PAST_PAGES,
    )


def runs_for_stale_pages(settings: Settings, outcomes: Sequence[tuple[PlannedRun, Outcome]]) -> list[PlannedRun]:
    """A run for each clinic whose day failed before its pages, so that the pages say how old their data is."""
    hopeless = {Busy.exit_code, ConfigurationError.exit_code}
    failed = [
        split_partition_key(run.partition)
        for run, outcome in outcomes
        if run.job == "clinic_daily"
        and run.assets is None
        and run.partition
        and outcome.failures
        and "reports/adherence" not in outcome.materialized
        and not hopeless & {failure.exit_code for failure in outcome.failures}
    ]
    store = open_report_store(settings)
    return [
        pages_run(settings, clinic_key, day)
        for clinic_key, day in failed
        if can_be_rewritten(settings, store, clinic_key, day)
    ]
