"""When the days run: one run per clinic and per region, for the clock's today; and the hourly look at health.

After an outage Dagster makes up for the ticks it missed, one by one. A tick whose day is over asks for nothing: lists
show the present, so one run a clinic makes up for all of them, and the budget sees no crowd.

What does not belong here: what events ask for (`sensors`), what a run does (`jobs`).
"""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.automation.jobs import catalog_daily, clinic_daily
from fullscript_pipeline.orchestration.checks import (
    DRIFT_CHECKS,
    EVENT_CHECKS,
    HEALTH_CHECKS,
    LISTING_CHECKS,
    every_clinic_is_current,
)
from fullscript_pipeline.orchestration.runtime import FullscriptResource, clinic_partition, region_partition
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.settings import load_settings

_ZONE = str(load_settings().time_zone)
_NOBODY = "No clinic is connected; run `fullscript-pipeline connect`."
_OVER = "The day of this tick is over, and lists show the present: the next tick pulls what there is now."


def _day_of(context: dg.ScheduleEvaluationContext) -> date | None:
    """The day that a tick is for, by the data's clock; None when its cell cannot be filled any more."""
    zone = load_settings().time_zone
    day = context.scheduled_execution_time.astimezone(zone).date() + timedelta(days=clock.days_ahead(zone))
    return day if clock.cell_is_open(day, zone) else None


@dg.schedule(
    job=catalog_daily,
    cron_schedule="0 4 * * *",
    execution_timezone=_ZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="04:00: the catalog of every region that has a connected clinic, before the clinics need it.",
)
def catalog_daily_schedule(
    context: dg.ScheduleEvaluationContext, fullscript: FullscriptResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    with fullscript.store() as store:
        regions = {clinic.region for clinic in store.clinics()}
    if not regions:
        yield dg.SkipReason(_NOBODY)
        return
    day = _day_of(context)
    if day is None:
        yield dg.SkipReason(_OVER)
        return
    for region in (region for region in REGIONS if region in regions):
        partition = region_partition(region, day)
        yield dg.RunRequest(run_key=f"{partition}", partition_key=partition, tags={"fullscript/region": region})


@dg.schedule(
    job=clinic_daily,
    cron_schedule="30 4 * * *",
    execution_timezone=_ZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="04:30: the day of every connected clinic.",
)
def clinic_daily_schedule(
    context: dg.ScheduleEvaluationContext, fullscript: FullscriptResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    with fullscript.store() as store:
        keys = [clinic.clinic_key for clinic in store.clinics()]
    if not keys:
        yield dg.SkipReason(_NOBODY)
        return
    day = _day_of(context)
    if day is None:
        yield dg.SkipReason(_OVER)
        return
    for key in keys:
        partition = clinic_partition(key, day)
        yield dg.RunRequest(run_key=f"{partition}", partition_key=partition, tags={"fullscript/clinic": key})


health_checks = dg.define_asset_job(
    "health_checks",
    selection=dg.AssetSelection.checks(
        every_clinic_is_current, *HEALTH_CHECKS, *EVENT_CHECKS, *DRIFT_CHECKS, *LISTING_CHECKS
    ),
    description="Tokens, budget, quarantine, drift, late clinics, events and webhooks. Looks only, asks no server.",
)

health_checks_schedule = dg.ScheduleDefinition(
    job=health_checks,
    cron_schedule="0 * * * *",
    execution_timezone=_ZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour: what would otherwise be noticed only when a day is missing.",
)

ALL_SCHEDULES = (catalog_daily_schedule, clinic_daily_schedule, health_checks_schedule)
