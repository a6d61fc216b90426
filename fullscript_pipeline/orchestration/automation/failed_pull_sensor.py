"""Pages after a pull that failed: rows and pages of the same cell again, so that their dates and banner tell the truth.

A failed step skips what depends on it, and yesterday's page would go on saying "due in 3 days". What does not belong
here: the banner itself (`reports`).
"""

from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.assets import adherence
from fullscript_pipeline.orchestration.assets.asset_steps import split_partition_key
from fullscript_pipeline.orchestration.automation.jobs import clinic_daily
from fullscript_pipeline.orchestration.runtime import ReportsResource, clinic_partition
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import Settings

PAGES = frozenset([*adherence.adherence.keys, *adherence.adherence_pages.keys])
# Of a day that is over only pages are made: the marts stand at the present.
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
    description="After a failed clinic day, rewrites that clinic's pages; they say how old their data is.",
)
def pages_after_a_failed_pull_sensor(
    context: dg.RunFailureSensorContext, reports: ReportsResource
) -> dg.RunRequest | dg.SkipReason:
    run = context.dagster_run
    partition = run.tags.get("dagster/partition")
    if TAG in run.tags or not partition:
        return dg.SkipReason("Only a failed pull of one clinic and day is followed by its pages.")
    clinic_key, day = split_partition_key(partition)
    if not can_be_rewritten(reports.settings.read(), reports.open(), clinic_key, day):
        return dg.SkipReason(f"{clinic_key} has no pages, or {day} is not today.")
    return dg.RunRequest(
        run_key=f"pages-after-{run.run_id}",
        partition_key=clinic_partition(clinic_key, day),
        asset_selection=sorted(PAGES),
        tags={"fullscript/clinic": clinic_key, TAG: "yes"},
    )
