"""What `pull` does: chooses the partitions, estimates or executes their runs, and prints what they read and changed.

What does not belong here: the options (`cli.pull`, which imports this module only when it is needed).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import partial

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.cli import dry_run
from fullscript_pipeline.cli.clinic_selection import select_clinics
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.page_rebuild import runs_for_stale_pages
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.extraction.request_estimate import (
    EstimateLine,
    Pace,
    RowCounter,
    estimate_clinic,
    estimate_order_days,
    estimate_region,
)
from fullscript_pipeline.maintenance import has_warehouse, open_warehouse
from fullscript_pipeline.orchestration.assets import CLINIC_ASSETS, REGION_ASSETS, catalog, order_days_config
from fullscript_pipeline.orchestration.runtime import (
    Outcome,
    add_clinic_partitions,
    clinic_partition,
    open_instance,
    region_partition,
    remove_old_runs,
)
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore

_WITH_PAST_DAYS = {
    format_columns for resource in ALL_RESOURCES if resource.has_past_days for format_columns in resource.table_names
}


@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """The options of `pull`; None or empty when not given."""

    clinics: Sequence[str] = ()
    day: date | None = None
    first: date | None = None
    last: date | None = None
    only: Sequence[str] = ()


def pull(settings: Settings, options: PullOptions) -> int:
    """Executes every run to its end. Returns the exit code."""
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        runs = _plan_runs(settings, select_clinics(store, options.clinics), options)
        instance = open_instance(settings)
        add_clinic_partitions(instance, store)
    warehouse = open_warehouse(settings)
    code, outcomes = execute_runs(instance, runs, partial(warehouse.tidy, only_if_due=True))
    _print_summary(outcomes)
    if stale := runs_for_stale_pages(settings, outcomes):
        execute_runs(instance, stale)
    remove_old_runs(instance, settings.keep_runs_days)
    return code


def show_estimate(settings: Settings, options: PullOptions, *, counts_rows: bool, as_json: bool) -> int:
    """Prints the requests that the same pull would send, and why."""
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        chosen = select_clinics(store, options.clinics)
        runs = _plan_runs(settings, chosen, options)
        with dry_run.row_counter(settings, store, counts_rows) as count_rows:
            lines = _estimate(settings, store, runs, count_rows=count_rows)
        dry_run.print_estimate(lines, settings.requests_per_5_min, is_counted=counts_rows, as_json=as_json)
    return 0


def _plan_runs(settings: Settings, clinics: Sequence[Clinic], options: PullOptions) -> list[PlannedRun]:
    """The runs to execute: regions first, then clinics; or a range of order days of each clinic."""
    today = clock.today(settings.time_zone)
    first, last = _day_range(options, today, settings)
    only = set(options.only)
    if only and only <= _WITH_PAST_DAYS and (first, last) != (today, today):
        return [_backfill_run(clinic, today, (first, last)) for clinic in clinics]
    if first != last:
        raise UsageError(
            "A range of days can be pulled for orders only (--only orders): all other lists show the present only."
        )
    if not clock.cell_is_open(first, settings.time_zone):
        raise UsageError(
            f"{first} is over: lists show the present, so only today ({today} in {settings.time_zone}) can be pulled. "
            f"Past orders: --from {first} --to {first} --only orders. Past pages: `report adherence --as-of {first}`."
        )
    if unknown := only - _tables_of(REGION_ASSETS) - _tables_of(CLINIC_ASSETS):
        known = sorted(_tables_of(REGION_ASSETS) | _tables_of(CLINIC_ASSETS))
        near = [close for name in sorted(unknown) for close in get_close_matches(name, known, n=1)]
        hint = f"did you mean {' and '.join(near)}? They are" if near else "they are"
        raise UsageError(f"There is no resource {', '.join(sorted(unknown))}: {hint} {', '.join(known)}.")
    region_keys, clinic_keys = _select_steps(options.only, REGION_ASSETS), _select_steps(options.only, CLINIC_ASSETS)
    regions = [region for region in REGIONS if region in {clinic.region for clinic in clinics}]
    with_catalog = region_keys != frozenset() and not (options.clinics and not only)
    if region_keys is not None:
        region_keys = catalog.with_mass_change_check(region_keys)
    return [
        *(_region_run(region, first, region_keys) for region in regions if with_catalog),
        *(_clinic_run(clinic, first, clinic_keys) for clinic in clinics if clinic_keys != frozenset()),
    ]


def _region_run(region: str, day: date, assets: frozenset[dg.AssetKey] | None) -> PlannedRun:
    tags = {"fullscript/region": region}
    return PlannedRun(
        label=f"catalog {region} {day}",
        job="catalog_daily",
        partition=region_partition(region, day),
        tags=tags,
        assets=assets,
    )


def _clinic_run(clinic: Clinic, day: date, assets: frozenset[dg.AssetKey] | None) -> PlannedRun:
    key = clinic.clinic_key
    tags = {"fullscript/clinic": key}
    return PlannedRun(
        label=f"{key} {day}", job="clinic_daily", partition=clinic_partition(key, day), tags=tags, assets=assets
    )


def _estimate(
    settings: Settings, store: StateStore, runs: Sequence[PlannedRun], *, count_rows: RowCounter
) -> list[EstimateLine]:
    """The requests that these runs would make; none for steps that were not selected."""
    opened = open_warehouse(settings) if has_warehouse(settings) else None
    by_key = {clinic.clinic_key: clinic for clinic in store.clinics.all()}
    day = clock.today(settings.time_zone)
    pace = Pace(trailing_days=settings.orders_trailing_days, sweep_days=settings.sweep_days, extras=settings.extras)
    lines: list[EstimateLine] = []
    with dry_run.read_if_exists(opened) as con:
        for run in runs:
            tags = run.tags or {}
            if region := tags.get("fullscript/region"):
                healthy = [
                    clinic for clinic in store.clinics.all() if clinic.region == region and clinic.status == "ok"
                ]
                planned = estimate_region(con, region, healthy, day, pace=pace, store=store, count_rows=count_rows)
            elif run.order_days:
                planned = [estimate_order_days(con, by_key[tags["fullscript/clinic"]], *run.order_days)]
            else:
                planned = estimate_clinic(
                    con, by_key[tags["fullscript/clinic"]], day, pace, store=store, count_rows=count_rows
                )
            tables = {key.path[-1] for key in run.assets} if run.assets else None
            lines += [line for line in planned if tables is None or line.table in tables]
    return lines


def _day_range(options: PullOptions, today: date, settings: Settings) -> tuple[date, date]:
    """The first and the last day; today when none is given."""
    day, first, last = options.day, options.first, options.last
    if day and (first or last):
        raise UsageError("Give either --day or --from and --to.")
    start = day or first or today
    end = day or last or (today if first else start)
    if start > end:
        raise UsageError(f"--from {start} is after --to {end}.")
    if end > today:
        raise UsageError(f"{end} is in the future: today is {today} ({settings.time_zone}).")
    if settings.start_date and start < settings.start_date:
        raise UsageError(f"{start} is before FULLSCRIPT_START_DATE ({settings.start_date}).")
    return start, end


def _backfill_run(clinic: Clinic, today: date, order_days: tuple[date, date]) -> PlannedRun:
    first, last = order_days
    return PlannedRun(
        label=f"{clinic.clinic_key} orders {first} to {last}",
        job="orders_backfill",
        partition=clinic_partition(clinic.clinic_key, today),
        run_config=order_days_config(first, last),
        order_days=order_days,
        tags={"fullscript/clinic": clinic.clinic_key},
    )


def _tables_of(assets: Sequence[dg.AssetsDefinition]) -> set[str]:
    return {key.path[-1] for asset in assets for key in asset.keys}


def _select_steps(only: Sequence[str], assets: Sequence[dg.AssetsDefinition]) -> frozenset[dg.AssetKey] | None:
    """The keys of the steps that fill these tables; None: all steps."""
    if not only:
        return None
    return frozenset(key for asset in assets if {key.path[-1] for key in asset.keys} & set(only) for key in asset.keys)


def _print_summary(outcomes: Sequence[tuple[PlannedRun, Outcome]]) -> None:
    """Prints a row per table with the sums over all runs, and the reason of each table that could not be read."""
    columns = ("rows_read", "rows_added", "rows_changed", "rows_removed", "quarantined", "requests")
    totals: dict[str, list[int]] = {}
    for run, outcome in outcomes:
        for key, metadata in {**outcome.observed, **outcome.materialized}.items():
            if "rows_read" in metadata:
                row = totals.setdefault(key, [0] * len(columns))
                totals[key] = [sum(pair) for pair in zip(row, (metadata.get(name, 0) for name in columns), strict=True)]
            if reason := metadata.get("reason"):
                print_message(f"{run.label}, {key}: {reason}", run_id=outcome.run_id)
    if totals:
        headers = ["table", *(column.removeprefix("rows_") for column in columns)]
        print_data(format_columns(headers, [[key, *row] for key, row in sorted(totals.items())]))
