"""When the days run: one run per clinic and per region, for the clock's today."""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.jobs import catalog_daily, clinic_daily
from fullscript_pipeline.orchestration.partitions import REGIONS, clinic_cell, region_cell
from fullscript_pipeline.orchestration.resources import FullscriptResource
from fullscript_pipeline.settings import load_settings

_ZONE = str(load_settings().time_zone)


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
        wanted = {clinic.region for clinic in store.clinics()}
    if not wanted:
        yield dg.SkipReason("No clinic is connected; run `fullscript-pipeline connect`.")
    day = clock.today(load_settings().time_zone)
    for region in (region for region in REGIONS if region in wanted):
        cell = region_cell(region, day)
        yield dg.RunRequest(run_key=f"{cell}", partition_key=cell, tags={"fullscript/region": region})


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
        yield dg.SkipReason("No clinic is connected; run `fullscript-pipeline connect`.")
    day = clock.today(load_settings().time_zone)
    for key in keys:
        cell = clinic_cell(key, day)
        yield dg.RunRequest(run_key=f"{cell}", partition_key=cell, tags={"fullscript/clinic": key})


ALL_SCHEDULES = (catalog_daily_schedule, clinic_daily_schedule)
