"""What every step shares: its cell, the clock's rules for it, and reports as metadata.

What does not belong here: what one asset pulls, its failures (`step_failures`), and the form of the metadata
(`asset_metadata`).
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, ClinicSession
from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.extraction.engine import Report, Target, share_pulls
from fullscript_pipeline.extraction.request_estimate import Pace, estimate_clinic, estimate_region, requests_by_resource
from fullscript_pipeline.orchestration.assets.column_lineage import column_lineage
from fullscript_pipeline.orchestration.assets.owners import Owner, owner_of, row_counts
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.resources.types import Resource
from fullscript_pipeline.settings import LANDING_FOLDER, Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.loading import Counts, pull_log


def partition_of(context: dg.AssetExecutionContext) -> tuple[str, date]:
    """The owner (clinic key or region) and the day of a run of one partition. The grid need not have that day."""
    if context.has_partition_key_range:
        raise UsageError("A range of days was asked at once; only orders can be pulled for a range.")
    return split_partition_key(context.partition_key)


def split_partition_key(key: str) -> tuple[str, date]:
    """The two parts of a partition's key, in whatever order Dagster joined them."""
    one, _, other = key.partition("|")
    try:
        return one, date.fromisoformat(other)
    except ValueError:
        return other, date.fromisoformat(one)


@dataclass(frozen=True, kw_only=True)
class Step:
    """The partition to load, the state store and the settings, for one step."""

    target: Target
    store: StateStore
    settings: Settings

    def results(self, reports: Sequence[Report], *resources: Resource) -> Iterator[dg.MaterializeResult[None]]:
        """One result per table of the step's resources."""
        return materialize_results(
            self.settings, self.target.warehouse, reports, resources, owner=owner_of(self.target)
        )


@dataclass(frozen=True, kw_only=True)
class ClinicStep(Step):
    """The present partition of a clinic."""

    session: ClinicSession


@dataclass(frozen=True, kw_only=True)
class RegionStep(Step):
    """The present partition of a region, with a session of each of its clinics."""

    sessions: Sequence[ClinicSession]


@contextmanager
def clinic_step(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Iterator[ClinicStep]:
    """Opens what a clinic's step needs; errors become failures with one sentence."""
    with pipeline_errors_as_failures(), fullscript.session(partition_of(context)[0]) as (session, store):
        settings, clinic = fullscript.settings.read(), session.clinic
        known = {"clinic": clinic, "claims_in": store, "store": store}
        target = _present(context, settings, warehouse.open(), clinic, **known)
        yield ClinicStep(target=target, store=store, settings=settings, session=session)


@contextmanager
def region_step(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Iterator[RegionStep]:
    """Opens what a region's step needs; errors become failures with one sentence."""
    with pipeline_errors_as_failures(), fullscript.region_sessions(partition_of(context)[0]) as (sessions, store):
        settings, clinics = fullscript.settings.read(), [session.clinic for session in sessions]
        known = {"clinic": None, "region_clinics": clinics, "claims_in": store}
        target = _present(context, settings, warehouse.open(), clinics[0], **known)
        yield RegionStep(target=target, store=store, settings=settings, sessions=sessions)


def _present(
    context: dg.AssetExecutionContext,
    settings: Settings,
    warehouse: Warehouse,
    of: ClinicRef,
    **known: Any,
) -> Target:
    """The target of a snapshot, with the request estimate of the tables that the run selects."""
    return make_target(
        settings,
        warehouse,
        partition_of(context)[1],
        run_id=context.run.run_id,
        of=of,
        only={key.path[-1] for key in context.selected_asset_keys},
        **known,
    )


def make_target(
    settings: Settings,
    warehouse: Warehouse,
    day: date,
    *,
    run_id: str,
    of: ClinicRef,
    clinic: ClinicRef | None,
    claims_in: StateStore,
    store: StateStore | None = None,
    region_clinics: Sequence[ClinicRef] = (),
    only: Collection[str] = (),
) -> Target:
    """A target of any day, with the request estimate of the step that makes the tables `only`.

    `of`: its server and region, read by `region_clinics`. Raises ConfigurationError for a clock that is behind.
    """
    pace = Pace(trailing_days=settings.orders_trailing_days, sweep_days=settings.sweep_days, extras=settings.extras)
    with warehouse.read() as con:
        _require_clock_not_behind(pull_log.last_observation(con))
        of_region = partial(estimate_region, con, of.region, clinics=region_clinics)
        estimate = partial(estimate_clinic, con, clinic) if clinic else of_region
        planned = estimate(day=day, pace=pace, store=store, only=only)
    return Target(
        warehouse=warehouse,
        landing_dir=warehouse.path.with_name(LANDING_FOLDER),
        shared=share_pulls(settings, claims_in) if settings.state_url else None,
        encryption_key=warehouse.key,
        server=of.server,
        region=of.region,
        day=day,
        run_id=run_id,
        clinic=clinic,
        request_estimate=requests_by_resource(planned),
    )


def _require_clock_not_behind(last_observation: datetime | None) -> None:
    if last_observation is not None and clock.now() < last_observation:
        raise ConfigurationError(
            f"The clock says {clock.now():%Y-%m-%d %H:%M} UTC, but the warehouse was last filled at "
            f"{last_observation:%Y-%m-%d %H:%M} UTC: correct FULLSCRIPT_NOW or the machine's time; nothing was pulled. "
            "If this time is right, the last one was not: `fullscript-pipeline clock repair` moves what it left."
        )


def materialize_results(
    settings: Settings,
    warehouse: Warehouse,
    reports: Sequence[Report],
    resources: Sequence[Resource],
    *,
    owner: Owner | None = None,
) -> Iterator[dg.MaterializeResult[None]]:
    """One result per table of a step's resources: its counts, and the step's requests on the first."""
    tables = [table for resource in resources for table in resource.table_names]
    counts: dict[str, Counts] = {}
    for report in reports:
        for table, count in report.counts.items():
            counts[table] = counts.get(table, Counts()) + count
    by_resource = {report.resource: report for report in reports}
    rows = row_counts(warehouse, (f"core.{table}" for table in tables), owner)
    for place, table in enumerate(tables):
        metadata: dict[str, dg.MetadataValue] = {**rows[f"core.{table}"], **column_lineage(f"core/{table}")}
        if table in counts:
            metadata |= {
                "rows_read": dg.MetadataValue.int(counts[table].read),
                "rows_added": dg.MetadataValue.int(counts[table].added),
                "rows_changed": dg.MetadataValue.int(counts[table].changed),
                "rows_removed": dg.MetadataValue.int(counts[table].removed),
                "quarantined": dg.MetadataValue.int(counts[table].quarantined),
                "fields_untyped": dg.MetadataValue.int(counts[table].untyped),
            }
        for report in [by_resource[table]] if table in by_resource else (reports if place == 0 else []):
            metadata |= _effort(report, settings.requests_per_5_min)
        yield dg.MaterializeResult(asset_key=["core", table], metadata=metadata)


def _effort(report: Report, requests_per_5_min: int) -> dict[str, dg.MetadataValue]:
    effort: dict[str, dg.MetadataValue] = {
        "outcome": dg.MetadataValue.text(report.outcome),
        "requests": dg.MetadataValue.int(report.requests),
        "pages": dg.MetadataValue.int(report.pages),
        "retries": dg.MetadataValue.int(report.retries),
        "seconds": dg.MetadataValue.float(report.seconds),
        # Of what five minutes allow: above 100, the pull had to wait for its next ones.
        "budget_used_percent": dg.MetadataValue.float(round(100 * report.requests / requests_per_5_min, 2)),
    }
    if report.estimated_requests is not None:
        effort["bill_requests"] = dg.MetadataValue.int(report.estimated_requests)
    if report.reason:
        effort["reason"] = dg.MetadataValue.text(report.reason)
    return effort
