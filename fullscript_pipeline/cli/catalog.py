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
    CatalogChange,
    Digest,
    changes_between,
    count_products_by_source,
    count_unknown_variants,
    coverage_between,
    coverage_by_day,
    explain_substitute_day,
    find_products,
    format_catalog_gaps,
    format_coverage,
    format_product_history,
    format_table,
    load_product_history,
    make_digest,
    observed_days,
    price_change_percent,
    section_of,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.cli.console import data, table, talk
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.errors import PipelineError, UsageError
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports import render_catalog_digest
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse import Warehouse

FORMATS = ("table", "csv", "jsonl", "html")
REGION = click.Choice(list(REGIONS))
_EVERYTHING = "Default: every region that has a catalog."
_DIFF = "What changed between the end of FROM and the end of TO. Exit 0: nothing, 1: something."


@click.group(help="What changed in the catalog, and how much of it is seen.")
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


@dataclass(frozen=True)
class Asked:
    """What to compare, as the options say."""

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
@click.option("--brand", help="Id or name.")
@click.option("--field", help="The vendor's path, such as msrp or dosage.recommended_amount.")
@click.option("--entity", "entities", multiple=True, help="Default brand, product, variant; again for more.")
@click.option("--cosmetic", is_flag=True, help="Also rewritings of the same text.")
@click.option("--min-price-change", "least_step", type=Percent(), help="Leave out smaller moves of prices, e.g. 5%.")
@click.option(
    "--fail-on",
    "alarms",
    multiple=True,
    type=click.Choice(["any", "none", *dict(SECTIONS)]),
    help="Exit 1 only for these kinds of change; again for more. Default: any.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def diff(form: str, alarms: Sequence[str], **options: Any) -> int:
    asked = Asked(**(options | {"entities": tuple(options["entities"]) or DEFAULT_ENTITIES}))
    settings = load_settings()
    try:
        found = _compare(settings, asked)
    except PipelineError as error:
        # 1 means differences here, so trouble is never 1.
        error.exit_code = max(error.exit_code, UsageError.exit_code)
        raise
    if form == "html" and len(found) > 1:
        raise UsageError("A page holds one region: name it with --region.")
    changes = [change for of_region, _ in found for change in of_region]
    if form == "csv":
        data(to_csv(changes).rstrip("\r\n"))
    elif form == "jsonl":
        for line in to_jsonl(changes):
            data(line)
    else:
        for _, digest in found:
            data(_page(digest, settings) if form == "html" else format_table(digest).rstrip())
    wanted = set(alarms) or {"any"}
    return int(any("any" in wanted or section_of(change) in wanted for change in changes))


@catalog.command("show", help="The life of a product: its id, exact name, or a variant's id or SKU.")
@click.argument("product")
@click.option("--region", type=REGION, help="Default: wherever it is.")
def show(product: str, region: str | None) -> None:
    settings = load_settings()
    with _warehouse(settings).read() as con:
        found = find_products(con, product, region)
        several = len({ident for _, ident, _, _ in found})
        if several > 1:
            talk(
                table(
                    ["region", "product", "brand", "name"], [(its, ident, of, name) for its, ident, name, of in found]
                )
            )
            raise UsageError(f"{product!r} is {several} products, listed above; give the id of one.")
        for its, ident, _, _ in found:
            data(format_product_history(load_product_history(con, its, ident, settings.time_zone.key)))


@catalog.command("coverage", help="How much of the catalog is seen, day by day, and through which doors.")
@click.option("--region", type=REGION, help=_EVERYTHING)
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="The last so many pulled days.")
def coverage(region: str | None, days: int) -> None:
    settings = load_settings()
    with _warehouse(settings).read() as con:
        for one in _regions(con, region):
            observed = observed_days(con, one, settings.time_zone)
            if not observed:
                raise UsageError(f"Region {one!r} has no catalog yet; pull it first (`fullscript-pipeline pull`).")
            found = coverage_by_day(con, one, observed[-days:], settings.time_zone)
            data(format_coverage(one, observed, found))
            data(format_catalog_gaps(count_products_by_source(con, one), count_unknown_variants(con, one)))


@catalog.command("release", help="Let the held digest of DAY through, and write it.")
@click.argument("day", type=DAY)
@click.option("--region", type=REGION, required=True)
def release(day: date, region: str) -> int:
    # Dagster takes a second to import; the other commands here do without it.
    from fullscript_pipeline.cli.run_partitions import Cell, run_cells  # noqa: PLC0415
    from fullscript_pipeline.orchestration.assets import catalog as assets  # noqa: PLC0415
    from fullscript_pipeline.orchestration.assets.digest_rebuild import release_digest  # noqa: PLC0415
    from fullscript_pipeline.orchestration.runtime import (  # noqa: PLC0415
        open_instance,
        region_cell,
    )

    settings = load_settings()
    warehouse = _warehouse(settings)
    with warehouse.read():
        pass
    release_digest(warehouse, region, day)
    keys = frozenset(assets.catalog_digest.keys)
    cell = Cell(f"{region} {day}", "catalog_daily", region_cell(region, day), assets=keys)
    code, outcomes = run_cells(open_instance(settings), [cell])
    for _, outcome in outcomes:
        if page := outcome.materialized.get("reports/catalog_digest", {}).get("page"):
            data(str(page))
    return code


def _warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings.warehouse_path, settings.warehouse_key)


def _regions(con: duckdb.DuckDBPyConnection, region: str | None) -> list[str]:
    if region:
        return [region]
    rows = con.execute("SELECT DISTINCT region FROM history.products ORDER BY 1").fetchall()
    if not rows:
        raise UsageError("There is no catalog yet; pull it first (`fullscript-pipeline pull`).")
    return [one for (one,) in rows]


def _compare(settings: Settings, asked: Asked) -> list[tuple[list[CatalogChange], Digest]]:
    """Per region the changes, and the digest made of them. A region of several that cannot answer is told and left
    out; when none can, that is the error.
    """
    today = clock.today(settings.time_zone)
    if asked.last > today:
        raise UsageError(
            f"TO {asked.last} has not come yet: today is {today} ({settings.time_zone}); give a day up to it."
        )
    found: list[tuple[list[CatalogChange], Digest]] = []
    troubles: list[UsageError] = []
    with _warehouse(settings).read() as con:
        # A person waits: a year of changes takes two seconds on two threads.
        con.execute("SET threads = 2")
        regions = _regions(con, asked.region)
        for region in regions:
            try:
                found.append(_compare_region(con, region, asked, settings))
            except UsageError as error:
                troubles.append(error)
    if not found:
        raise UsageError(" ".join(dict.fromkeys(map(str, troubles))))
    for trouble in troubles:
        talk(str(trouble))
    return found


def _compare_region(
    con: duckdb.DuckDBPyConnection, region: str, asked: Asked, settings: Settings
) -> tuple[list[CatalogChange], Digest]:
    zone = settings.time_zone
    everything = changes_between(
        con,
        region,
        asked.first,
        asked.last,
        zone,
        brand=asked.brand,
        field=asked.field,
        include_cosmetic=True,
        entities=asked.entities,
    )
    observed = observed_days(con, region, zone)
    for note in {one: explain_substitute_day(observed, one) for one in (asked.first, asked.last)}.values():
        if note:
            talk(f"{region}: {note}")
    seen = coverage_between(con, region, asked.first, asked.last, zone, everything)
    if asked.brand or asked.field or "product" not in asked.entities:
        # Which of the products first seen are new is known from all changes only.
        seen = replace(seen, first_seen=0)
    steps = {id(row): price_change_percent(row) for row in everything}
    least = asked.least_step
    wanted = [row for row in everything if least is None or (step := steps[id(row)]) is None or step >= least]
    # Who asks for two days wants to see them, however much changed.
    digest = make_digest(region, asked.first, asked.last, seen, wanted, release=True)
    return [row for row in wanted if asked.cosmetic or not row.cosmetic], digest


def _page(digest: Digest, settings: Settings) -> str:
    return render_catalog_digest(digest, rendered_at=clock.now(), time_zone=settings.time_zone)
