"""The jobs: the clinic's day, the region's day, orders of any days, and a refresh of what events touched.

What does not belong here: when a job runs (`schedules`, `sensors`), what a step does (`assets`, `refresh`).
"""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.event_types import EVENT_FAMILIES
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.event_proof import record_pull_outcomes
from fullscript_pipeline.maintenance import page_rebuild as rebuild
from fullscript_pipeline.orchestration.assets import (
    CLINIC_ASSETS,
    REGION_ASSETS,
    make_target,
    orders,
    pipeline_errors_as_failures,
)
from fullscript_pipeline.orchestration.checks import EVENT_CHECKS
from fullscript_pipeline.orchestration.runtime import FullscriptResource, ReportsResource, WarehouseResource
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh import (
    RefreshResult,
    due_events,
    fetch_moved_labs,
    handle_events,
    mark_refresh_done,
    mark_resync_done,
    pending_resync_span,
    resync_clinic,
    watch_labs,
)
from fullscript_pipeline.state import StateStore

# Checks of what events say are of the installation, not of one clinic's day; the hourly job runs them.
clinic_daily = dg.define_asset_job(
    "clinic_daily",
    selection=dg.AssetSelection.assets(*CLINIC_ASSETS) - dg.AssetSelection.checks(*EVENT_CHECKS),
    description="Pulls everything of one clinic for today, then computes adherence and writes its pages.",
)

catalog_daily = dg.define_asset_job(
    "catalog_daily",
    selection=dg.AssetSelection.assets(*REGION_ASSETS),
    description="Pulls the catalog of one region for today, then writes its change digest.",
)

orders_backfill = dg.define_asset_job(
    "orders_backfill",
    selection=dg.AssetSelection.assets(orders.orders),
    description="Pulls orders and their lines of any days, in one run: choose the clinic and its latest day, and give "
    "first_day and last_day in the run's config. No partition is needed for those days, and none is filled.",
)


class RefreshConfig(dg.Config):
    """A clinic and event ids (opaque). Other events that are due when the run begins are handled too."""

    clinic: str
    event_ids: list[str]


@dg.op(description="Fetches the objects of the events, then rebuilds the adherence rows and pages of their patients.")
def refresh_touched(
    context: dg.OpExecutionContext,
    config: RefreshConfig,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    reports: ReportsResource,
) -> None:
    _tag_run(context, config.clinic)
    with pipeline_errors_as_failures(), fullscript.session(config.clinic) as (session, store):
        clinic_day = present_day(session, fullscript, warehouse)
        target = target_of(context, clinic_day, store)
        labs = fetch_moved_labs(target, session, store)
        event_ids = {*config.event_ids, *(event.event_id for event in due_events(store, clinic_day.clinic))}
        refreshed = handle_events(target, session, store, event_ids)
        if refreshed.patients:
            rebuild.rebuild_touched(clinic_day, reports.open(), refreshed.patients)
        watch_labs(clinic_day.warehouse, store, clinic_day.clinic)
        mark_refresh_done(store, session, refreshed)
    if labs:
        context.log.info(f"{config.clinic}: {counted(labs, 'lab order')} changed without an event.")
    _log_refresh(context, config.clinic, clinic_day.day, refreshed)


def _tag_run(context: dg.OpExecutionContext, clinic_key: str) -> None:
    """A run that was launched in the UI lacks the tag of its clinic."""
    if "fullscript/clinic" not in context.run.tags:
        context.instance.add_run_tags(context.run.run_id, {"fullscript/clinic": clinic_key})


def present_day(
    session: ClinicSession, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> rebuild.ClinicDay:
    """The session's clinic today."""
    settings = fullscript.settings.read()
    day = clock.today(settings.time_zone)
    return rebuild.ClinicDay(settings=settings, warehouse=warehouse.open(), clinic=session.clinic, day=day)


def target_of(context: dg.OpExecutionContext, clinic_day: rebuild.ClinicDay, store: StateStore) -> Target:
    """Where this run stores what it reads of the clinic."""
    clinic = clinic_day.clinic
    return make_target(
        clinic_day.settings,
        clinic_day.warehouse,
        clinic_day.day,
        run_id=context.run.run_id,
        of=clinic,
        clinic=clinic,
        claims_in=store,
    )


def _log_refresh(context: dg.OpExecutionContext, clinic_key: str, day: date, refreshed: RefreshResult) -> None:
    """Logs observations instead of materializations: a refresh is not a complete pull of the partition."""
    changes = ", ".join(f"{number} of {family}" for family, number in refreshed.counts.items())
    context.log.info(f"{clinic_key}: {changes or 'nothing new'}; {counted(refreshed.requests, 'request')}.")
    common: dict[str, str | int] = {"clinic": clinic_key, "day": day.isoformat(), "requests": refreshed.requests}
    numbers = {"events": len(refreshed.event_ids)}
    numbers |= {family.table: refreshed.counts.get(family.name, 0) for family in EVENT_FAMILIES if family.name}
    for table, number in numbers.items():
        if number:
            _log_observation(context, f"core/{table}", {"events": number, "told": changes, **common})
    if refreshed.patients:
        _log_observation(context, "marts/adherence", {"patients": len(refreshed.patients), **common})


def _log_observation(context: dg.OpExecutionContext, key: str, metadata: Mapping[str, str | int]) -> None:
    context.log_event(dg.AssetObservation(asset_key=key.split("/"), metadata=metadata))


@dg.job(
    name="clinic_refresh",
    description="Re-reads the objects that new events point at, between daily pulls. The event sensors request it.",
)
def clinic_refresh() -> None:
    refresh_touched()


class SweepConfig(dg.Config):
    """The clinic to read again."""

    clinic: str


@dg.op(description="Reads every patient, plan, order and lab order of a clinic again, then rebuilds all its pages.")
def sweep_clinic(
    context: dg.OpExecutionContext,
    config: SweepConfig,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    reports: ReportsResource,
) -> None:
    _tag_run(context, config.clinic)
    with pipeline_errors_as_failures(), fullscript.session(config.clinic) as (session, store):
        clinic_day = present_day(session, fullscript, warehouse)
        target = target_of(context, clinic_day, store)
        span = pending_resync_span(store, clinic_day.clinic)
        done = resync_clinic(target, session)
        record_pull_outcomes(clinic_day.warehouse, store, clinic_day.clinic)
        rebuild.rebuild_mart(clinic_day)
        rebuild.rewrite_pages(clinic_day, reports.open())
        watch_labs(clinic_day.warehouse, store, clinic_day.clinic)
        mark_resync_done(store, clinic_day.clinic, clinic_day.day)
    changes = {
        table: counts.added + counts.changed + counts.removed
        for report in done
        for table, counts in report.counts.items()
    }
    reason = f"no feed reaches {span} any more" if span else "no day was lost"
    context.log.info(f"{config.clinic}: read everything again ({reason}); changes: {changes}.")
    _log_observation(context, "core/events", {"clinic": config.clinic, "lost_span": span or "none", **changes})


@dg.job(
    name="clinic_sweep",
    description="Full re-sync of one clinic, after more days without a poll than the event feeds reach back.",
)
def clinic_sweep() -> None:
    sweep_clinic()
