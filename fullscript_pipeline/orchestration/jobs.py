"""The jobs: the clinic's day, the region's day, orders of any days, and a refresh of what events touched."""

from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration import adherence as rebuild
from fullscript_pipeline.orchestration.assets import CLINIC_ASSETS, REGION_ASSETS, commerce
from fullscript_pipeline.orchestration.resources import FullscriptResource, ReportsResource, WarehouseResource
from fullscript_pipeline.orchestration.steps import any_target, told_in_a_sentence
from fullscript_pipeline.refresh import apply, handled

clinic_daily = dg.define_asset_job(
    "clinic_daily",
    selection=dg.AssetSelection.assets(*CLINIC_ASSETS),
    description="Everything of one clinic for the present day: pull, adherence, pages.",
)

catalog_daily = dg.define_asset_job(
    "catalog_daily",
    selection=dg.AssetSelection.assets(*REGION_ASSETS),
    description="The catalog of one region for the present day, and its change digest.",
)

orders_backfill = dg.define_asset_job(
    "orders_backfill",
    selection=dg.AssetSelection.assets(commerce.orders),
    description="Orders and lines of any range of days, in one run.",
)


class RefreshConfig(dg.Config):
    """Which events of which clinic; opaque ids only."""

    clinic: str
    event_ids: list[str]


@dg.op(description="Reads what the events touched, then rebuilds the adherence rows and pages of those patients.")
def refresh_touched(
    context: dg.OpExecutionContext,
    config: RefreshConfig,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    reports: ReportsResource,
) -> None:
    with told_in_a_sentence(), fullscript.session(config.clinic) as (session, store):
        opened, day = warehouse.open(), clock.today(fullscript.settings().time_zone)
        clinic = session.clinic
        target = any_target(context.run.run_id, opened, day, server=clinic.server, region=clinic.region, clinic=clinic)
        refreshed = apply(target, session, config.event_ids)
        if refreshed.patients:
            rebuild.rebuild_touched(opened, reports.open(), clinic, day, refreshed.patients)
        handled(store, session, config.event_ids)
    _observe(context, day, sum(report.requests for report in refreshed.reports))


def _observe(context: dg.OpExecutionContext, day: date, requests: int) -> None:
    """Event activity shows on the assets without turning the day's cell green: a refresh is no whole pull."""
    for key in ("core/events", "core/orders", "core/treatment_plans", "marts/adherence"):
        context.log_event(
            dg.AssetObservation(asset_key=key.split("/"), metadata={"day": day.isoformat(), "requests": requests})
        )


@dg.job(
    name="clinic_refresh",
    description="What events say has changed, between two daily pulls; asked for by the event sensor.",
)
def clinic_refresh() -> None:
    refresh_touched()


ALL_JOBS = (clinic_daily, catalog_daily, orders_backfill, clinic_refresh)
