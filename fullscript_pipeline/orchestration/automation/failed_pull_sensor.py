"""Rewrites the rows and pages of a partition after its pull failed, so that their dates and banner are correct.

A failed step skips the steps after it, so yesterday's page would still say "due in 3 days". What does not belong here:
the banner itself (`reports`).
"""

from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets import adherence, split_partition_key
from fullscript_pipeline.orchestration.automation.jobs import clinic_daily
from fullscript_pipeline.orchestration.runtime import ReportsResource, clinic_partition
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import Settings

PAGES = frozenset([*adherence.adherence.keys, *adherence.adherence_pages.keys])
# For a past day only pages are written: the marts show the present.
PAST_PAGES = frozenset(adherence.adherence_pages.keys)
TAG = "fullscript/pages_only"


def can_be_rewritten(settings: Settings, store: ReportStore, clinic_key: str, day: date) -> bool:
    """Whether the clinic has pages, and the cell is today's: a past day must not replace what is read today."""
    return day == clock.today(settings.time_zone) and clinic_key in store.clinic_keys()


@dg.run_failure_sensor(
    name="pages_after_a_failed_pull_sensor",
    monitored_jobs=[clinic_daily],
    request_job=clinic_daily,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After a failed pull of a clinic, rewrites the clinic's pages, which then say how old their data is.",
)
def pages_after_a_failed_pull_sensor(
    context: dg.RunFailureSensorContext, reports: ReportsResource
) -> dg.RunRequest | dg.SkipReason:
    run = context.dagster_run
    partition = run.tags.get("dagster/partition")
    if TAG in run.tags or not partition:
        return dg.SkipReason("Pages are rewritten only after a failed pull of one clinic and day.")
    clinic_key, day = split_partition_key(partition)
    if not can_be_rewritten(reports.settings.read(), reports.open(), clinic_key, day):
        return dg.SkipReason(f"{clinic_key} has no pages, or {day} is not today.")
    return dg.RunRequest(
        run_key=f"pages-after-{run.run_id}",
        partition_key=clinic_partition(clinic_key, day),
        asset_selection=sorted(PAGES),
        tags={"fullscript/clinic": clinic_key, TAG: "yes"},
    )
