"""`catalog`: what changed between two days, a product's life, how much is seen, and releasing a held digest.

What does not belong here: what a change is (`catalog`), how a digest page is written (`reports`).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import (
    DEFAULT_ENTITIES,
    EARLIER_WORDS,
    SECTIONS,
    count_products_by_source,
    count_unknown_variants,
    coverage_by_day,
    find_products,
    format_catalog_gaps,
    format_coverage,
    format_product_history,
    load_product_history,
    observed_days,
)
from fullscript_pipeline.cli.catalog_compare import compare
from fullscript_pipeline.cli.catalog_comparison import Compared, catalog_regions
from fullscript_pipeline.cli.catalog_options import Month, Percent, SpanType, compared_days
from fullscript_pipeline.cli.catalog_output import FORMATS, OUTPUT_HELP, report_comparisons
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import stored_warehouse
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.settings import Settings

REGION = click.Choice(list(REGIONS))
_EVERYTHING = "Default: every region that has a catalog."
_DIFF = "Show what changed between the end of day FROM and the end of day TO. Exit code 0: nothing; 1: something."


@click.group(help="Show what changed in the catalog, and how much of it was seen.")
def catalog() -> None:
    pass


catalog.add_command(compare)


@catalog.command("diff", help=_DIFF)
@click.argument("first", metavar="[FROM]", type=DAY, required=False)
@click.argument("last", metavar="[TO]", type=DAY, required=False)
@click.option("--since-first", is_flag=True, help="Compare with the first observation instead of FROM.")
@click.option(
    "--last", "span", type=SpanType(), help="Begin this long before today, e.g. 30d, 4w or 6m, instead of at FROM."
)
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
    type=click.Choice(["any", "none", *dict(SECTIONS), *EARLIER_WORDS]),
    help="Exit with 1 only for this kind of change. Repeatable. Default: any.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help=OUTPUT_HELP)
@with_settings
def diff(
    settings: Settings,
    form: str,
    output: Path | None,
    alarms: Sequence[str],
    first: date | None,
    last: date | None,
    since_first: bool,
    span: timedelta | None,
    **options: Any,
) -> int:
    first, last = compared_days(first, last, since_first=since_first, span=span, today=clock.today(settings.time_zone))
    entities = tuple(options.pop("entities")) or DEFAULT_ENTITIES
    compared = Compared(first=first, last=last, entities=entities, **options)
    return report_comparisons(settings, compared, form=form, output=output, alarms=alarms)


@catalog.command("changes", help="Show what changed within a month. Exit code 0: nothing; 1: something.")
@click.option("--month", type=Month(), help="YYYY-MM. Default: this month.")
@click.option("--region", type=REGION, help=_EVERYTHING)
@click.option("--brand", help="Only this brand, by id or name.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help=OUTPUT_HELP)
@with_settings
def changes(settings: Settings, month: date | None, form: str, output: Path | None, **options: Any) -> int:
    today = clock.today(settings.time_zone)
    begins = (month or today).replace(day=1)
    following = (begins + timedelta(days=31)).replace(day=1)
    compared = Compared(
        first=begins - timedelta(days=1), last=min(following - timedelta(days=1), max(begins, today)), **options
    )
    return report_comparisons(settings, compared, form=form, output=output)


@catalog.command(
    "show",
    help="Show the history of a product. PRODUCT is its id, name, SKU or UPC, or a variant's id; former values work "
    "too.",
)
@click.argument("product")
@click.option("--region", type=REGION, help="Default: every region that has the product.")
@click.option("--brand", help="Of several products with that name, the one of this brand, by id or name.")
@with_settings
def show(settings: Settings, product: str, region: str | None, brand: str | None) -> None:
    with stored_warehouse(settings).read() as con:
        found = find_products(con, product, region, brand=brand)
        count = len({match.product_id for match in found})
        if count > 1:
            rows = [(match.region, match.product_id, match.brand_name, match.name, match.found_by) for match in found]
            print_message(format_columns(["region", "product", "brand", "name", "found by"], rows))
            raise UsageError(
                f"{product!r} matches {count} products, listed above; add --brand, or give the id of one: "
                f"`fullscript-pipeline catalog show {found[0].product_id}`."
            )
        for match in found:
            print_message(f"{match.region}: found by its {match.found_by}.")
            history = load_product_history(con, match.region, match.product_id, settings.time_zone.key)
            print_data(format_product_history(history))


@catalog.command("coverage", help="Show how much of the catalog was seen, by day and by catalog source.")
@click.option("--region", type=REGION, help=_EVERYTHING)
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How many pulled days, the latest first."
)
@with_settings
def coverage(settings: Settings, region: str | None, days: int) -> None:
    with stored_warehouse(settings).read() as con:
        for name in catalog_regions(con, region):
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

    warehouse = stored_warehouse(settings)
    with warehouse.read():
        pass
    release_digest(warehouse, region, day)
    keys = frozenset(assets.catalog_digest.keys)
    run = PlannedRun(label=f"{region} {day}", job="catalog_daily", partition=region_partition(region, day), assets=keys)
    code, outcomes = execute_runs(open_instance(settings), [run])
    for _, outcome in outcomes:
        if page := outcome.materialized.get("reports/catalog_digest", {}).get("page"):
            print_data(str(page))
    return code
