"""What patients ordered, labs included, and the variants that plans and orders name.

What does not belong here: how the tables are read (`extraction.pulls`), plans (`clinic`).
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
from pydantic import Field

from fullscript_pipeline import clock
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.extraction.engine import Report
from fullscript_pipeline.extraction.pulls import lab_orders as lab_pulls
from fullscript_pipeline.extraction.pulls import missing_variants as variant_pulls
from fullscript_pipeline.extraction.pulls import orders as order_pulls
from fullscript_pipeline.orchestration.assets.asset_steps import (
    clinic_step,
    make_target,
    materialize_results,
    split_partition_key,
)
from fullscript_pipeline.orchestration.assets.clinic_asset import clinic_asset
from fullscript_pipeline.orchestration.assets.owners import Owner, tag_run_with_owner
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.refresh import watch_labs
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS_RESOURCE, LAB_TESTS_RESOURCE
from fullscript_pipeline.resources.orders import ORDERS_RESOURCE
from fullscript_pipeline.resources.products import VARIANTS_RESOURCE
from fullscript_pipeline.warehouse import Warehouse

Results = Iterator[dg.MaterializeResult[None]]


class OrderDays(dg.Config):
    """Days before the first partition, or any others: their orders are read instead of those of the partition."""

    first_day: str = Field("", description="Like 2025-01-01. Empty: the partition's own day.")
    last_day: str = Field("", description="Like 2025-12-31. Empty: the first day alone.")

    def days(self) -> tuple[date, date] | None:
        """The first and the last day; None when nothing was given. Raises UsageError for what is not a range."""
        if not (self.first_day or self.last_day):
            return None
        try:
            first = date.fromisoformat(self.first_day)
            last = date.fromisoformat(self.last_day or self.first_day)
        except ValueError:
            raise UsageError(
                f"first_day {self.first_day!r} and last_day {self.last_day!r} must be days like 2026-11-22."
            ) from None
        if first > last:
            raise UsageError(f"first_day {first} is after last_day {last}.")
        return first, last


def order_days_config(first: date, last: date) -> dict[str, object]:
    """The run config with which `orders` reads the orders of these days."""
    return {"ops": {"orders": {"config": {"first_day": first.isoformat(), "last_day": last.isoformat()}}}}


@clinic_asset("orders", ORDERS_RESOURCE, fills_past_days=True, backfill_policy=dg.BackfillPolicy.single_run())
def orders(
    context: dg.AssetExecutionContext, config: OrderDays, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with pipeline_errors_as_failures():
        tag_run_with_owner(context)
        settings, opened = fullscript.settings.read(), warehouse.open()
        older = config.days()
        reports = [
            report
            for key, days in _days_by_clinic(context.partition_keys).items()
            for report in _pull_orders(
                context.run.run_id, fullscript, opened, clinic_key=key, days=older or (days[0], days[-1])
            )
        ]
        results = materialize_results(
            settings, opened, reports, [ORDERS_RESOURCE], owner=_owner(context.partition_keys, fullscript)
        )
        yield from _observations(context, results, older) if older else results


def _owner(partition_keys: Sequence[str], fullscript: FullscriptResource) -> Owner | None:
    """The clinic of the partitions; None when they are of several."""
    keys = {split_partition_key(key)[0] for key in partition_keys}
    if len(keys) != 1:
        return None
    with fullscript.state.open() as store:
        return Owner(kind="clinic", value=store.clinics.find(keys.pop()).clinic_id)


def _days_by_clinic(partition_keys: Sequence[str]) -> dict[str, list[date]]:
    days: dict[str, list[date]] = {}
    for key in sorted(partition_keys):
        clinic_key, day = split_partition_key(key)
        days.setdefault(clinic_key, []).append(day)
    return {key: sorted(clinic_days) for key, clinic_days in days.items()}


def _observations(context: dg.AssetExecutionContext, results: Results, days: tuple[date, date]) -> Results:
    """Logs the results instead of yielding them: they are of other days than the partition, which is not filled."""
    told = {"first_day": days[0].isoformat(), "last_day": days[1].isoformat()}
    for result in results:
        context.log_event(dg.AssetObservation(result.asset_key or "", metadata={**told, **(result.metadata or {})}))
    yield from ()


def _pull_orders(
    run_id: str, fullscript: FullscriptResource, warehouse: Warehouse, *, clinic_key: str, days: tuple[date, date]
) -> list[Report]:
    """The present cell pulls what is due; any other days are a backfill of just these."""
    settings, (first, last) = fullscript.settings.read(), days
    present = first == last and clock.cell_is_open(last, settings.time_zone)
    with fullscript.session(clinic_key, "present" if present else "backfill") as (session, store):
        clinic = session.clinic
        target = make_target(
            settings,
            warehouse,
            last,
            run_id=run_id,
            of=clinic,
            clinic=clinic,
            claims_in=store,
            only={"orders"} if present else (),
        )
        if not present:
            return [
                order_pulls.pull_order_days(target, session, first=first, last=last, sweep_days=settings.sweep_days)
            ]
        pace = settings.orders_trailing_days, settings.sweep_days
        daily = order_pulls.pull_orders(target, session, *pace)
        swept = order_pulls.sweep_orders(target, session, *pace) if daily.outcome == "loaded" else None
        return [daily, swept] if swept else [daily]


@clinic_asset("labs", LAB_ORDERS_RESOURCE, LAB_TESTS_RESOURCE)
def labs(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        reports = [lab_pulls.pull_labs(step.target, step.session, step.settings.sweep_days)]
        if reports[0].outcome == "loaded":
            reports.append(lab_pulls.pull_lab_tests(step.target, step.session))
        watch_labs(step.target.warehouse, step.store, step.session.clinic)
        yield from step.results(reports, LAB_ORDERS_RESOURCE, LAB_TESTS_RESOURCE)


@clinic_asset("variants", VARIANTS_RESOURCE)
def variants(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        yield from step.results([variant_pulls.pull_unknown_variants(step.target, step.session)], VARIANTS_RESOURCE)
