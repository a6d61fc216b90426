"""The adherence mart of a clinic, and the pages made from it.

What does not belong here: how adherence is computed (`adherence`), how a page looks (`reports`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import page_rebuild as rebuild
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import partition_of
from fullscript_pipeline.orchestration.assets.closed_days import of_the_present
from fullscript_pipeline.orchestration.assets.column_lineage import column_lineage
from fullscript_pipeline.orchestration.assets.owners import Owner, row_counts, tag_run_with_owner
from fullscript_pipeline.orchestration.assets.page_links import page_links
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import (
    FullscriptResource,
    ReportsResource,
    WarehouseResource,
)
from fullscript_pipeline.reports import PagesWritten
from fullscript_pipeline.settings import Settings

Results = Iterator[dg.MaterializeResult[None]]

_MARTS = ("adherence", "adherence_gaps", "adherence_timeline")
_SOURCES = (
    "core/treatment_plans",
    "core/recommendations",
    "core/orders",
    "core/order_line_items",
    "core/clinic_variants",
    "core/events",
    "core/patients",
)
# What pages show beside the marts.
_ON_PAGES = (
    "clinics",
    "patients",
    "practitioners",
    "orders",
    "order_line_items",
    "lab_orders",
    "lab_recommendations",
)
_CATALOG = tuple(asset_specs.latest_dep(f"core/{table}") for table in ("variants", "products", "brands"))


@dg.multi_asset(
    name="adherence",
    specs=[
        asset_specs.derived_spec(
            f"marts/{table}",
            "adherence",
            what,
            phi=True,
            kinds={"duckdb", "sql"},
            deps=[*_SOURCES, *_CATALOG],
            skippable=True,
        )
        for table, what in (
            ("adherence", "One row per patient, plan and recommended product: supply, coverage, status."),
            ("adherence_gaps", "The stretches of each row's window without full supply."),
            ("adherence_timeline", "What the charts draw."),
        )
    ],
)
@of_the_present
def adherence(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with pipeline_errors_as_failures():
        its = _clinic_day(context, fullscript, warehouse)
        rows = rebuild.update_mart(its) if _is_pull(context) else rebuild.rebuild_mart(its)
    owner = Owner(kind="clinic", value=its.clinic.clinic_id)
    counted = row_counts(its.warehouse, (f"marts.{table}" for table in _MARTS), owner)
    for table in _MARTS:
        more = {"rows": rows, **_status_counts(its)} if table == "adherence" else {}
        yield dg.MaterializeResult(
            asset_key=["marts", table],
            metadata={**more, **counted[f"marts.{table}"], **column_lineage(f"marts/{table}")},
        )


def _status_counts(clinic_day: rebuild.ClinicDay) -> dict[str, int]:
    """How many products of the clinic's patients have which status: numbers that Dagster plots by day."""
    with clinic_day.warehouse.read() as con:
        found = con.execute(
            "SELECT status, count(*) FROM marts.adherence WHERE clinic_id = ? GROUP BY ALL",
            [clinic_day.clinic.clinic_id],
        ).fetchall()
    counts = {str(status): int(count) for status, count in found}
    shown = {f"status_{status}": count for status, count in sorted(counts.items())}
    return {"late": counts.get("out_of_supply", 0), "never_ordered": counts.get("never_ordered", 0), **shown}


class PageDay(dg.Config):
    """An earlier day: its pages are written instead of those of the partition, in a folder of their own."""

    as_of: str = Field("", description="Like 2025-01-31. Empty: the partition's own day.")

    def day(self) -> date | None:
        """The day; None when none was given. Raises UsageError for what is not a day."""
        try:
            return date.fromisoformat(self.as_of) if self.as_of else None
        except ValueError:
            raise UsageError(f"as_of {self.as_of!r} must be a day like 2026-11-22.") from None


def page_day_config(day: date) -> dict[str, object]:
    """The run config with which `adherence_pages` writes the pages of this day."""
    return {"ops": {"adherence_pages": {"config": {"as_of": day.isoformat()}}}}


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
                *(f"core/{table}" for table in _ON_PAGES),
                asset_specs.latest_dep("core/variants"),
            ],
            skippable=True,
        )
    ],
)
def adherence_pages(
    context: dg.AssetExecutionContext,
    config: PageDay,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    reports: ReportsResource,
) -> Results:
    key = dg.AssetKey(["reports", "adherence"])
    with pipeline_errors_as_failures():
        tag_run_with_owner(context)
        earlier = config.day()
        its = _clinic_day(context, fullscript, warehouse, earlier)
        rewrite = rebuild.update_pages if _is_pull(context) else rebuild.rewrite_pages
        write = rebuild.write_past_pages if its.is_over else rewrite
        metadata = _page_metadata(write(its, reports.open()), its.settings)
    if earlier:
        # Of another day than the partition, which is not filled.
        context.log_event(dg.AssetObservation(key, metadata={"as_of": earlier.isoformat(), **metadata}))
    else:
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)


def _is_pull(context: dg.AssetExecutionContext) -> bool:
    """Whether the run pulls the whole day; another one is started to have rows and pages made again."""
    return context.run.asset_selection is None


def _page_metadata(written: PagesWritten, settings: Settings) -> dict[str, Any]:
    return {
        "patient_pages": written.patient_pages,
        "bytes": written.bytes,
        **page_links(settings, page=written.clinic_page),
        **column_lineage("reports/adherence"),
    }


def _clinic_day(
    context: dg.AssetExecutionContext,
    fullscript: FullscriptResource,
    warehouse: WarehouseResource,
    earlier: date | None = None,
) -> rebuild.ClinicDay:
    clinic_key, day = partition_of(context)
    with fullscript.state.open() as store:
        clinic = store.clinics.find(clinic_key)
    return rebuild.ClinicDay(
        settings=fullscript.settings.read(), warehouse=warehouse.open(), clinic=clinic, day=earlier or day
    )
