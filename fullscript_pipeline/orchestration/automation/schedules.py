"""The schedules: every day one run per clinic and per region, every hour the health checks, what operators see.

After an outage Dagster runs the missed ticks one by one. A tick for a past day requests no run: lists show the present,
so one run per clinic is enough, and the request budget is not used up.

What does not belong here: runs after events (`sensors`), what a run does (`jobs`).
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.automation.jobs import catalog_daily, clinic_daily
from fullscript_pipeline.orchestration.automation.lake_upkeep_job import lake_upkeep, lake_upkeep_schedule
from fullscript_pipeline.orchestration.automation.overview_job import operators_overview, operators_overview_schedule
from fullscript_pipeline.orchestration.checks import (
    DRIFT_CHECKS,
    EVENT_CHECKS,
    HEALTH_CHECKS,
    LISTING_CHECKS,
    every_clinic_is_current,
)
from fullscript_pipeline.orchestration.runtime import StateResource, clinic_partition, region_partition
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.settings import Settings

_NOBODY = "No clinic is connected; run `fullscript-pipeline connect`."
_OVER = "The day of this tick is over, and lists show the present only: the next tick pulls it."


def _day_of(context: dg.ScheduleEvaluationContext, zone: ZoneInfo) -> date | None:
    """The day of a tick by the data's clock; None when its partition is closed."""
    day = context.scheduled_execution_time.astimezone(zone).date() + timedelta(days=clock.days_ahead(zone))
    return day if clock.cell_is_open(day, zone) else None


def catalog_daily_schedule(
    context: dg.ScheduleEvaluationContext, state: StateResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    with state.open() as store:
        regions = {clinic.region for clinic in store.clinics.all()}
    if not regions:
        yield dg.SkipReason(_NOBODY)
        return
    day = _day_of(context, state.settings.read().time_zone)
    if day is None:
        yield dg.SkipReason(_OVER)
        return
    for region in (region for region in REGIONS if region in regions):
        partition = region_partition(region, day)
        yield dg.RunRequest(run_key=f"{partition}", partition_key=partition, tags={"fullscript/region": region})


def clinic_daily_schedule(
    context: dg.ScheduleEvaluationContext, state: StateResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    with state.open() as store:
        keys = [clinic.clinic_key for clinic in store.clinics.all()]
    if not keys:
        yield dg.SkipReason(_NOBODY)
        return
    day = _day_of(context, state.settings.read().time_zone)
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
    description="Checks tokens, budget, quarantine, drift, late clinics, events and webhooks. Sends no request.",
)


def make_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """All schedules, in the settings' time zone."""
    common: dict[str, Any] = {
        "execution_timezone": str(settings.time_zone),
        "default_status": dg.DefaultScheduleStatus.RUNNING,
    }
    of_catalog = dg.schedule(
        job=catalog_daily,
        cron_schedule="0 4 * * *",
        description="At 04:00, pulls the catalog of every region that has a connected clinic, before the clinics' "
        "pulls.",
        **common,
    )
    of_clinics = dg.schedule(
        job=clinic_daily,
        cron_schedule="30 4 * * *",
        description="At 04:30, pulls every connected clinic.",
        **common,
    )
    of_health = dg.ScheduleDefinition(
        name="health_checks_schedule",
        job=health_checks,
        cron_schedule="0 * * * *",
        description="Every hour, runs the health checks, so that problems show before a day is missing.",
        **common,
    )
    return [
        of_catalog(catalog_daily_schedule),
        of_clinics(clinic_daily_schedule),
        of_health,
        _for_operators(common),
        _for_lake(common),
    ]


def _for_operators(common: Mapping[str, Any]) -> dg.ScheduleDefinition:
    return dg.schedule(
        job=operators_overview,
        cron_schedule="*/15 * * * *",
        description="Every 15 minutes, writes coverage and health for operators of the portal, where they sign in.",
        **common,
    )(operators_overview_schedule)


def _for_lake(common: Mapping[str, Any]) -> dg.ScheduleDefinition:
    return dg.schedule(
        job=lake_upkeep,
        cron_schedule="0 3 * * *",
        description="At 03:00, joins the small files of a lake; does nothing where the warehouse is a file.",
        **common,
    )(lake_upkeep_schedule)
