"""What patients ordered, labs included, and the variants that plans and orders name.

What does not belong here: how the tables are read (`extraction.pulls`), plans (`clinic`).
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.engine import Report
from fullscript_pipeline.extraction.pulls import lab_orders as lab_pulls
from fullscript_pipeline.extraction.pulls import missing_variants as variant_pulls
from fullscript_pipeline.extraction.pulls import orders as order_pulls
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import (
    clinic_step,
    make_target,
    materialize_results,
    split_partition_key,
)
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource
from fullscript_pipeline.refresh import watch_labs
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS_RESOURCE, LAB_TESTS_RESOURCE
from fullscript_pipeline.resources.orders import ORDERS_RESOURCE
from fullscript_pipeline.resources.products import VARIANTS_RESOURCE
from fullscript_pipeline.warehouse import Warehouse

Results = Iterator[dg.MaterializeResult[None]]


@dg.multi_asset(
    name="orders",
    backfill_policy=dg.BackfillPolicy.single_run(),
    specs=asset_specs.table_specs(ORDERS_RESOURCE),
)
def orders(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    days: dict[str, list[date]] = {}
    for key in context.partition_keys:
        clinic_key, day = split_partition_key(key)
        days.setdefault(clinic_key, []).append(day)
    with pipeline_errors_as_failures():
        settings, opened = fullscript.settings.read(), warehouse.open()
        reports = [
            report
            for key, asked in days.items()
            for report in _pull_orders(context.run.run_id, fullscript, opened, clinic_key=key, days=sorted(asked))
        ]
        yield from materialize_results(settings, opened, reports, [ORDERS_RESOURCE])


def _pull_orders(
    run_id: str, fullscript: FullscriptResource, warehouse: Warehouse, *, clinic_key: str, days: list[date]
) -> list[Report]:
    """The present cell pulls what is due; any other days are a backfill of just these."""
    settings = fullscript.settings.read()
    present = len(days) == 1 and clock.cell_is_open(days[0], settings.time_zone)
    with fullscript.session(clinic_key, "present" if present else "backfill") as (session, _):
        clinic = session.clinic
        target = make_target(
            settings,
            warehouse,
            days[-1],
            run_id=run_id,
            server=clinic.server,
            region=clinic.region,
            clinic=clinic,
            only={"orders"} if present else (),
        )
        if not present:
            return [order_pulls.pull_order_days(target, session, days[0], days[-1], settings.sweep_days)]
        pace = settings.orders_trailing_days, settings.sweep_days
        daily = order_pulls.pull_orders(target, session, *pace)
        swept = order_pulls.sweep_orders(target, session, *pace) if daily.outcome == "loaded" else None
        return [daily, swept] if swept else [daily]


@dg.multi_asset(
    name="labs",
    specs=asset_specs.table_specs(LAB_ORDERS_RESOURCE, LAB_TESTS_RESOURCE),
)
def labs(context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        reports = [lab_pulls.pull_labs(step.target, step.session, step.settings.sweep_days)]
        if reports[0].outcome == "loaded":
            reports.append(lab_pulls.pull_lab_tests(step.target, step.session))
        watch_labs(step.target.warehouse, step.store, step.session.clinic)
        yield from step.results(reports, LAB_ORDERS_RESOURCE, LAB_TESTS_RESOURCE)


@dg.multi_asset(
    name="variants",
    specs=asset_specs.table_specs(VARIANTS_RESOURCE),
)
def variants(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with clinic_step(context, fullscript, warehouse) as step:
        yield from step.results([variant_pulls.pull_unknown_variants(step.target, step.session)], VARIANTS_RESOURCE)
