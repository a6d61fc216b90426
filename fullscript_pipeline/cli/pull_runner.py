"""What `pull` does: which cells it is made of, their bill or their runs, and what they read and changed.

What does not belong here: the options (`cli.pull`, which asks for this module when it has something to do).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.cli import dry_run
from fullscript_pipeline.cli.clinic_selection import chosen_clinics
from fullscript_pipeline.cli.console import data, table, talk
from fullscript_pipeline.cli.page_rebuild import pages_after
from fullscript_pipeline.cli.run_partitions import Cell, run_cells
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.extraction.request_estimate import (
    Ask,
    BillLine,
    Pace,
    plan_clinic,
    plan_order_days,
    plan_region,
)
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.assets import CLINIC_ASSETS, REGION_ASSETS
from fullscript_pipeline.orchestration.assets.asset_steps import owner_and_day
from fullscript_pipeline.orchestration.runtime import (
    Outcome,
    add_clinic_partitions,
    clinic_cell,
    open_instance,
    region_cell,
)
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Clinic, StateStore

_WITH_PAST_DAYS = {table for resource in ALL_RESOURCES if resource.has_past_days for table in resource.table_names}


@dataclass(frozen=True)
class Asked:
    """The options as they were given; None or empty: not given."""

    clinics: Sequence[str] = ()
    day: date | None = None
    first: date | None = None
    last: date | None = None
    only: Sequence[str] = ()


def pull(asked: Asked) -> int:
    """Every cell, to its end. Returns the exit code."""
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(settings.state_path, settings.encryption_key) as store:
        cells = _cells(settings, chosen_clinics(store, asked.clinics), asked)
        instance = open_instance(settings)
        add_clinic_partitions(instance, store)
    open_warehouse()
    code, outcomes = run_cells(instance, cells)
    _summary(outcomes)
    if behind := pages_after(outcomes):
        run_cells(instance, behind)
    return code


def show_bill(asked: Asked, *, by_asking: bool, as_json: bool) -> int:
    """What the same pull would ask, and why."""
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = chosen_clinics(store, asked.clinics)
        cells = _cells(settings, chosen, asked)
        with dry_run.counted_by_asking(settings, store, by_asking) as ask:
            lines = _bill(settings, store, cells, chosen, ask)
        dry_run.show(lines, settings.requests_per_5_min, asked=by_asking, as_json=as_json)
    return 0


def _cells(settings: Settings, clinics: Sequence[Clinic], asked: Asked) -> list[Cell]:
    """The runs to make: the catalog's regions first, then the clinics; or a range of orders of each clinic."""
    today = clock.today(settings.time_zone)
    first, last = _range(asked, today, settings)
    only = set(asked.only)
    if only and only <= _WITH_PAST_DAYS and (first, last) != (today, today):
        return [_backfill(clinic, first, last) for clinic in clinics]
    if first != last:
        raise UsageError(
            "A range of days can be pulled for orders only (--only orders): every other list shows the present."
        )
    if not clock.cell_is_open(first, settings.time_zone):
        raise UsageError(
            f"{first} is over: lists show the present, so only today ({today}, {settings.time_zone}) can be pulled. "
            f"Past orders: --from {first} --to {first} --only orders. Past pages: `report adherence --as-of {first}`."
        )
    if unknown := only - _tables(REGION_ASSETS) - _tables(CLINIC_ASSETS):
        known = sorted(_tables(REGION_ASSETS) | _tables(CLINIC_ASSETS))
        near = [close for one in sorted(unknown) for close in get_close_matches(one, known, n=1)]
        hint = f"did you mean {' and '.join(near)}? They are" if near else "they are"
        raise UsageError(f"There is no resource {', '.join(sorted(unknown))}: {hint} {', '.join(known)}.")
    region_keys, clinic_keys = _selection(asked.only, REGION_ASSETS), _selection(asked.only, CLINIC_ASSETS)
    regions = [region for region in REGIONS if region in {clinic.region for clinic in clinics}]
    with_catalog = region_keys != frozenset() and not (asked.clinics and not only)
    return [
        *(_region_cell(region, first, region_keys) for region in regions if with_catalog),
        *(_clinic_cell(clinic, first, clinic_keys) for clinic in clinics if clinic_keys != frozenset()),
    ]


def _region_cell(region: str, day: date, assets: frozenset[dg.AssetKey] | None) -> Cell:
    tags = {"fullscript/region": region}
    return Cell(f"catalog {region} {day}", "catalog_daily", region_cell(region, day), tags=tags, assets=assets)


def _clinic_cell(clinic: Clinic, day: date, assets: frozenset[dg.AssetKey] | None) -> Cell:
    key = clinic.clinic_key
    tags = {"fullscript/clinic": key}
    return Cell(f"{key} {day}", "clinic_daily", clinic_cell(key, day), tags=tags, assets=assets)


def _bill(
    settings: Settings, store: StateStore, cells: Sequence[Cell], chosen: Sequence[Clinic], ask: Ask
) -> list[BillLine]:
    """What these cells would ask; of steps that were not chosen, nothing."""
    opened = open_warehouse() if settings.warehouse_path.exists() else None
    by_key = {clinic.clinic_key: clinic for clinic in chosen}
    day = clock.today(settings.time_zone)
    pace = Pace(settings.orders_trailing_days, settings.sweep_days, settings.extras)
    lines: list[BillLine] = []
    with dry_run.warehouse_if_any(opened) as con:
        for cell in cells:
            tags = cell.tags or {}
            if region := tags.get("fullscript/region"):
                healthy = [one for one in store.clinics() if one.region == region and one.status == "ok"]
                planned = plan_region(con, region, healthy, day, pace, store=store, ask=ask)
            elif cell.job == "orders_backfill" and cell.partition_range:
                days = [owner_and_day(key)[1] for key in cell.partition_range]
                planned = [plan_order_days(con, by_key[tags["fullscript/clinic"]], days[0], days[1])]
            else:
                clinic = by_key[tags["fullscript/clinic"]]
                planned = plan_clinic(con, clinic, day, pace, store=store, ask=ask)
            tables = {key.path[-1] for key in cell.assets} if cell.assets else None
            lines += [line for line in planned if tables is None or line.table in tables]
    return lines


def _range(asked: Asked, today: date, settings: Settings) -> tuple[date, date]:
    """The first and the last day; today when none is given."""
    day, first, last = asked.day, asked.first, asked.last
    if day and (first or last):
        raise UsageError("Give either --day or --from and --to.")
    start = day or first or today
    end = day or last or (today if first else start)
    if start > end:
        raise UsageError(f"--from {start} lies after --to {end}.")
    if end > today:
        raise UsageError(f"{end} has not begun: it is {today} ({settings.time_zone}).")
    if start < settings.start_date:
        raise UsageError(f"{start} lies before FULLSCRIPT_START_DATE ({settings.start_date}).")
    return start, end


def _backfill(clinic: Clinic, first: date, last: date) -> Cell:
    return Cell(
        f"{clinic.clinic_key} orders {first} to {last}",
        "orders_backfill",
        partition_range=(clinic_cell(clinic.clinic_key, first), clinic_cell(clinic.clinic_key, last)),
        tags={"fullscript/clinic": clinic.clinic_key},
    )


def _tables(assets: Sequence[dg.AssetsDefinition]) -> set[str]:
    return {key.path[-1] for asset in assets for key in asset.keys}


def _selection(only: Sequence[str], assets: Sequence[dg.AssetsDefinition]) -> frozenset[dg.AssetKey] | None:
    """The keys of the steps that make these tables; None: everything."""
    if not only:
        return None
    return frozenset(key for asset in assets if {key.path[-1] for key in asset.keys} & set(only) for key in asset.keys)


def _summary(outcomes: Sequence[tuple[Cell, Outcome]]) -> None:
    """A row per table, over all cells; what was not available in words."""
    columns = ("rows_read", "rows_added", "rows_changed", "rows_removed", "quarantined", "requests")
    totals: dict[str, list[int]] = {}
    for cell, outcome in outcomes:
        for key, metadata in outcome.materialized.items():
            if "rows_read" in metadata:
                row = totals.setdefault(key, [0] * len(columns))
                totals[key] = [sum(pair) for pair in zip(row, (metadata.get(c, 0) for c in columns), strict=True)]
            if reason := metadata.get("reason"):
                talk(f"{cell.label}, {key}: {reason}")
    if totals:
        headers = ["table", *(column.removeprefix("rows_") for column in columns)]
        data(table(headers, [[key, *row] for key, row in sorted(totals.items())]))
