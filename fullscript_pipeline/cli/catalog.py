"""`catalog`: what changed between two days, a product's life, how much is seen, and releasing a held digest.

What does not belong here: what a change is (`catalog`), how a digest page is written (`reports`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import click
import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import (
    DEFAULT_ENTITIES,
    SECTIONS,
    SEVERAL,
    CatalogChange,
    Digest,
    changes_between,
    count_products_by_source,
    count_unknown_variants,
    coverage_between,
    coverage_by_day,
    end_of,
    explain_substitute_day,
    find_products,
    find_successors,
    format_catalog_gaps,
    format_coverage,
    format_product_history,
    format_table,
    is_alarming,
    load_product_history,
    make_digest,
    observed_days,
    price_change_percent,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.errors import PipelineError, UsageError
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports import render_catalog_digest
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse import Warehouse

FORMATS = ("table", "csv", "jsonl", "html")
REGION = click.Choice(list(REGIONS))
_EVERYTHING = "Default: every region that has a catalog."
_DIFF = "Show what changed between the end of day FROM and the end of day TO. Exit code 0: nothing; 1: something."


@click.group(help="Show what changed in the catalog, and how much of it was seen.")
def catalog() -> None:
    pass


class Percent(click.ParamType[Decimal]):
    """A share: `5`, `5%` or `2.5 %`."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            share = Decimal(str(value).strip().removesuffix("%").strip())
        except InvalidOperation:
            share = Decimal("NaN")
        if not share.is_finite() or share < 0:
            self.fail(f"{value!r} is not a share; write it like 5%", param, ctx)
        return share


@dataclass(frozen=True, kw_only=True)
class DiffOptions:
    """The options of `catalog diff`: what to compare."""

    first: date
    last: date
    region: str | None
    brand: str | None
    field: str | None
    entities: Sequence[str]
    cosmetic: bool
    least_step: Decimal | None


@catalog.command("diff", help=_DIFF)
@click.argument("first", metavar="FROM", type=DAY)
@click.argument("last", metavar="TO", type=DAY)
@click.option("--region", type=REGION, help=_EVERYTHING)
@click.option("--brand", help="Only this brand, by id or name.")
@click.option("--field", help="Only this field, by the vendor's path, such as msrp or dosage.recommended_amount.")
@click.option(
    "--entity",
    "entities",
    multiple=True,
    help="Only this kind of object. Repeatable. Default: brand, product, variant.",
)
@click.option("--cosmetic", is_flag=True, help="Include texts that changed in spelling or markup only.")
@click.option("--min-price-change", "least_step", type=Percent(), help="Leave out smaller price changes, e.g. 5%.")
@click.option(
    "--fail-on",
    "alarms",
    multiple=True,
    type=click.Choice(["any", "none", *dict(SECTIONS), *(word for word in SEVERAL if word not in dict(SECTIONS))]),
    help="Exit with 1 only for this kind of change. Repeatable. Default: any.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@with_settings
def diff(settings: Settings, form: str, alarms: Sequence[str], **options: Any) -> int:
    selected = DiffOptions(**(options | {"entities": tuple(options["entities"]) or DEFAULT_ENTITIES}))
    try:
        comparisons = _compare(settings, selected)
    except PipelineError as error:
        # Exit code 1 means differences here, so an error never exits with 1.
        error.exit_code = max(error.exit_code, UsageError.exit_code)
        raise
    if form == "html" and len(comparisons) > 1:
        raise UsageError("A page holds one region: name it with --region.")
    changes = [change for comparison in comparisons for change in comparison.changes]
    if form == "csv":
        print_data(to_csv(changes).rstrip("\r\n"))
    elif form == "jsonl":
        for line in to_jsonl(changes):
            print_data(line)
    else:
        for comparison in comparisons:
            digest = comparison.digest
            print_data(_page(digest, settings) if form == "html" else format_table(digest).rstrip())
    kinds = set(alarms) or {"any"}
    return int(any(is_alarming(change, kinds) for change in changes))


@catalog.command(
    "show", help="Show the history of a product. PRODUCT is its id or exact name, or a variant's id or SKU."
)
@click.argument("product")
@click.option("--region", type=REGION, help="Default: every region that has the product.")
@with_settings
def show(settings: Settings, product: str, region: str | None) -> None:
    with _warehouse(settings).read() as con:
        matches = find_products(con, product, region)
        count = len({product_id for _, product_id, _, _ in matches})
        if count > 1:
            rows = [(at, product_id, brand, name) for at, product_id, name, brand in matches]
            print_message(format_columns(["region", "product", "brand", "name"], rows))
            raise UsageError(f"{product!r} matches {count} products, listed above; give the id of one.")
        for at, product_id, _, _ in matches:
            print_data(format_product_history(load_product_history(con, at, product_id, settings.time_zone.key)))


@catalog.command("coverage", help="Show how much of the catalog was seen, by day and by catalog source.")
@click.option("--region", type=REGION, help=_EVERYTHING)
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How many pulled days, the latest first."
)
@with_settings
def coverage(settings: Settings, region: str | None, days: int) -> None:
    with _warehouse(settings).read() as con:
        for name in _regions(con, region):
            observed = observed_days(con, name, settings.time_zone)
            if not observed:
                raise UsageError(f"Region {name!r} has no catalog yet; pull it first (`fullscript-pipeline pull`).")
            covered_days = coverage_by_day(con, name, observed[-days:], settings.time_zone)
            print_data(format_coverage(name, observed, covered_days))
            print_data(format_catalog_gaps(count_products_by_source(con, name), count_unknown_variants(con, name)))


@catalog.command("release", help="Approve the held digest of DAY, and write it.")
@click.argument("day", type=DAY)
@click.option("--region", type=REGION, required=True)
@with_settings
def release(settings: Settings, day: date, region: str) -> int:
    # Dagster takes a second to import; the other commands here do without it.
    from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs  # noqa: PLC0415
    from fullscript_pipeline.orchestration.assets import catalog as assets  # noqa: PLC0415
    from fullscript_pipeline.orchestration.assets import release_digest  # noqa: PLC0415
    from fullscript_pipeline.orchestration.runtime import (  # noqa: PLC0415
        open_instance,
        region_partition,
    )

    warehouse = _warehouse(settings)
    with warehouse.read():
        pass
    release_digest(warehouse, region, day)
    keys = frozenset(assets.catalog_digest.keys)
    run = PlannedRun(f"{region} {day}", "catalog_daily", region_partition(region, day), assets=keys)
    code, outcomes = execute_runs(open_instance(settings), [run])
    for _, outcome in outcomes:
        if page := outcome.materialized.get("reports/catalog_digest", {}).get("page"):
            print_data(str(page))
    return code


def _warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings.warehouse_path, settings.warehouse_key)


def _regions(con: duckdb.DuckDBPyConnection, region: str | None) -> list[str]:
    if region:
        return [region]
    rows = con.execute("SELECT DISTINCT region FROM history.products ORDER BY 1").fetchall()
    if not rows:
        raise UsageError("There is no catalog yet; pull it first (`fullscript-pipeline pull`).")
    return [name for (name,) in rows]


@dataclass(frozen=True)
class _Comparison:
    """The changes of a region, and the digest made of them."""

    changes: Sequence[CatalogChange]
    digest: Digest


def _compare(settings: Settings, options: DiffOptions) -> list[_Comparison]:
    """A comparison for each region. Of several regions, one that cannot be compared is reported and left out.

    Raises UsageError when no region can be compared.
    """
    today = clock.today(settings.time_zone)
    if options.last > today:
        raise UsageError(f"TO {options.last} is in the future: today is {today} ({settings.time_zone}).")
    comparisons: list[_Comparison] = []
    errors: list[UsageError] = []
    with _warehouse(settings).read() as con:
        # A person waits: a year of changes takes two seconds on two threads.
        con.execute("SET threads = 2")
        regions = _regions(con, options.region)
        for region in regions:
            try:
                comparisons.append(_compare_region(con, region, options, settings))
            except UsageError as error:
                errors.append(error)
    if not comparisons:
        raise UsageError(" ".join(dict.fromkeys(map(str, errors))))
    for message in map(str, errors):
        print_message(message)
    return comparisons


def _compare_region(
    con: duckdb.DuckDBPyConnection, region: str, options: DiffOptions, settings: Settings
) -> _Comparison:
    zone, first, last = settings.time_zone, options.first, options.last
    changes = changes_between(
        con,
        region,
        from_day=first,
        to_day=last,
        time_zone=zone,
        brand=options.brand,
        field=options.field,
        include_cosmetic=True,
        entities=options.entities,
    )
    observed = observed_days(con, region, zone)
    for day in dict.fromkeys((first, last)):
        if message := explain_substitute_day(observed, day):
            print_message(f"{region}: {message}")
    coverage = coverage_between(con, region, from_day=first, to_day=last, time_zone=zone, changes=changes)
    if options.brand or options.field or "product" not in options.entities:
        # Only all changes together show which of the newly listed products are new.
        coverage = replace(coverage, first_seen=0)
    least = options.least_step
    large = [row for row in changes if least is None or (step := price_change_percent(row)) is None or step >= least]
    # `release`: a comparison is made on request, so a large one is not held.
    successors = find_successors(con, region, changes, end_of(last, zone))
    digest = make_digest(
        region, from_day=first, to_day=last, coverage=coverage, changes=large, successors=successors, release=True
    )
    return _Comparison([row for row in large if options.cosmetic or not row.cosmetic], digest)


def _page(digest: Digest, settings: Settings) -> str:
    return render_catalog_digest(digest, rendered_at=clock.now(), time_zone=settings.time_zone)
