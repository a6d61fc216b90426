"""`catalog diff`: what changed between two days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import click
import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import (
    CatalogChange,
    Digest,
    changes_between,
    format_table,
    make_digest,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.catalog.days import end_of
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES
from fullscript_pipeline.catalog.lanes import coverage_at
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.cli.say import data
from fullscript_pipeline.errors import PipelineError, UsageError
from fullscript_pipeline.reports.digest import render_catalog_digest
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse.connection import Warehouse

FORMATS = ("table", "csv", "jsonl", "html")


@click.group(help="What changed in the catalog.")
def catalog() -> None:
    pass


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


@catalog.command("diff", help="What changed between the end of FROM and the end of TO. Exit 0: nothing, 1: something.")
@click.argument("first", metavar="FROM", type=DAY)
@click.argument("last", metavar="TO", type=DAY)
@click.option("--region", type=click.Choice(["us", "ca"]), help="Default: every region that has a catalog.")
@click.option("--brand", help="Id or name.")
@click.option("--field", help="The vendor's path, such as msrp or dosage.recommended_amount.")
@click.option("--entity", "entities", multiple=True, help="Default brand, product, variant; again for more.")
@click.option("--cosmetic", is_flag=True, help="Also rewritings of the same text.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def diff(form: str, **options: Any) -> int:
    asked = Asked(**(options | {"entities": tuple(options["entities"]) or DEFAULT_ENTITIES}))
    settings = load_settings()
    try:
        found = _compare(settings, asked)
    except PipelineError as error:
        # 1 means differences here, so trouble is never 1.
        error.exit_code = max(error.exit_code, UsageError.exit_code)
        raise
    changes = [change for of_region, _ in found for change in of_region]
    if form == "csv":
        data(to_csv(changes).rstrip("\r\n"))
    elif form == "jsonl":
        for line in to_jsonl(changes):
            data(line)
    else:
        for _, digest in found:
            data(_page(digest, settings) if form == "html" else format_table(digest).rstrip())
    return int(bool(changes))


def _compare(settings: Settings, asked: Asked) -> list[tuple[list[CatalogChange], Digest]]:
    """Per region the changes, and the digest made of them."""
    with Warehouse(settings.warehouse_path, settings.encryption_key).read() as con:
        rows = con.execute("SELECT DISTINCT region FROM history.products ORDER BY 1").fetchall()
        regions = [asked.region] if asked.region else [region for (region,) in rows]
        if not regions:
            raise UsageError("There is no catalog yet; pull it first (`fullscript-pipeline pull`).")
        return [_compare_region(con, region, asked, settings) for region in regions]


def _compare_region(
    con: duckdb.DuckDBPyConnection, region: str, asked: Asked, settings: Settings
) -> tuple[list[CatalogChange], Digest]:
    changes = changes_between(
        con,
        region,
        asked.first,
        asked.last,
        settings.time_zone,
        brand=asked.brand,
        field=asked.field,
        include_cosmetic=asked.cosmetic,
        entities=asked.entities,
    )
    coverage = coverage_at(con, region, asked.last, end_of(asked.last, settings.time_zone))
    # Who asks for two days wants to see them, however much changed.
    return changes, make_digest(region, asked.first, asked.last, coverage, changes, release=True)


def _page(digest: Digest, settings: Settings) -> str:
    return render_catalog_digest(digest, rendered_at=clock.now(), time_zone=settings.time_zone)
