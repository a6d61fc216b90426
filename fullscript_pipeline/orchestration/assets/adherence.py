"""The adherence mart of a clinic, and the pages made from it.

What does not belong here: how adherence is computed (`adherence`), how a page looks (`reports`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.maintenance import page_rebuild as rebuild
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import partition_of, row_counts
from fullscript_pipeline.orchestration.assets.column_lineage import column_lineage
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import (
    FullscriptResource,
    ReportsResource,
    WarehouseResource,
)

Results = Iterator[dg.MaterializeResult[None]]

_MARTS = ("adherence", "adherence_gaps", "adherence_timeline")
_SOURCES = (
    "core/treatment_plans",
    "core/recommendations",
    "core/orders",
    "core/order_line_items",
    "core/clinic_variants",
    "core/events",
)


@dg.multi_asset(
    name="adherence",
    specs=[
        asset_specs.derived_spec(
            f"marts/{table}",
            "adherence",
            what,
            phi=True,
            kinds={"duckdb", "sql"},
            deps=[*_SOURCES, asset_specs.latest_dep("core/variants")],
        )
        for table, what in (
            ("adherence", "One row per patient, plan and recommended product: supply, coverage, status."),
            ("adherence_gaps", "The stretches of each row's window without full supply."),
            ("adherence_timeline", "What the charts draw."),
        )
    ],
)
def adherence(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with pipeline_errors_as_failures():
        its = _clinic_day(context, fullscript, warehouse)
        rows = rebuild.rebuild_mart(its)
    counted = row_counts(its.warehouse, (f"marts.{table}" for table in _MARTS))
    for table in _MARTS:
        told = {"rows": rows} if table == "adherence" else {}
        yield dg.MaterializeResult(
            asset_key=["marts", table], metadata={**told, **counted[f"marts.{table}"], **column_lineage(table)}
        )


@dg.multi_asset(
    name="adherence_pages",
    specs=[
        asset_specs.derived_spec(
            "reports/adherence",
            "reports",
            "The clinic's page and a page per patient, HTML that opens offline.",
            phi=True,
            kinds={"html"},
            deps=[
                "marts/adherence",
                "marts/adherence_gaps",
                "marts/adherence_timeline",
                "core/patients",
                "core/practitioners",
                "core/lab_orders",
            ],
        )
    ],
)
def adherence_pages(
    context: dg.AssetExecutionContext,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    reports: ReportsResource,
) -> Results:
    with pipeline_errors_as_failures():
        its = _clinic_day(context, fullscript, warehouse)
        write = rebuild.write_past_pages if its.is_over else rebuild.rewrite_pages
        written = write(its, reports.open())
        yield dg.MaterializeResult(
            asset_key=["reports", "adherence"],
            metadata={
                "patient_pages": written.patient_pages,
                "bytes": written.bytes,
                "page": dg.MetadataValue.path(str(written.clinic_page)),
            },
        )


def _clinic_day(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> rebuild.ClinicDay:
    clinic_key, day = partition_of(context)
    with fullscript.state.open() as store:
        clinic = store.clinics.find(clinic_key)
    return rebuild.ClinicDay(settings=fullscript.settings.read(), warehouse=warehouse.open(), clinic=clinic, day=day)
