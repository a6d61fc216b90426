"""Compares the catalog of each region for a command, and says on stderr which days were used instead.

What does not belong here: options as typed (`catalog_options`), what is printed (`catalog`), what a change is (the
catalog room).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import (
    DEFAULT_ENTITIES,
    CatalogChange,
    Digest,
    changes_between,
    coverage_between,
    end_of,
    explain_substitute_day,
    find_successors,
    make_digest,
    observed_days,
    price_change_percent,
)
from fullscript_pipeline.cli.console import print_message
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import stored_warehouse
from fullscript_pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What to compare. `first`: None means the first observation. `least_step`: in percent of the old price."""

    first: date | None
    last: date
    region: str | None
    brand: str | None
    field: str | None = None
    entities: Sequence[str] = DEFAULT_ENTITIES
    cosmetic: bool = False
    least_step: Decimal | None = None


def catalog_regions(con: duckdb.DuckDBPyConnection, region: str | None) -> list[str]:
    if region:
        return [region]
    rows = con.execute("SELECT DISTINCT region FROM history.products ORDER BY 1").fetchall()
    if not rows:
        raise UsageError("There is no catalog yet; pull it first (`fullscript-pipeline pull`).")
    return [name for (name,) in rows]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The changes of a region, and the digest made of them."""

    changes: Sequence[CatalogChange]
    digest: Digest


def compare_regions(settings: Settings, options: Compared) -> list[Comparison]:
    """A comparison for each region. Of several regions, one that cannot be compared is reported and left out.

    Raises UsageError when no region can be compared.
    """
    today = clock.today(settings.time_zone)
    if options.last > today:
        raise UsageError(
            f"TO {options.last} is in the future: today is {today} ({settings.time_zone}). Leave it out to compare "
            f"with today: `fullscript-pipeline catalog diff {options.first or '--since-first'}`."
        )
    comparisons: list[Comparison] = []
    errors: list[UsageError] = []
    with stored_warehouse(settings).read() as con:
        # A person waits: a year of changes takes two seconds on two threads.
        con.execute("SET threads = 2")
        regions = catalog_regions(con, options.region)
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


def _compare_region(con: duckdb.DuckDBPyConnection, region: str, options: Compared, settings: Settings) -> Comparison:
    zone, last = settings.time_zone, options.last
    observed = observed_days(con, region, zone)
    first, note = _first_day(region, observed, options)
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
    digest = replace(digest, note=note)
    return Comparison(changes=[row for row in large if options.cosmetic or not row.cosmetic], digest=digest)


def _first_day(region: str, observed: Sequence[date], compared: Compared) -> tuple[date, str | None]:
    """The day to compare with, and a sentence if it is the first observation instead of an earlier day."""
    if not observed or compared.last < observed[0] or (compared.first and compared.first >= observed[0]):
        return compared.first or compared.last, None
    note = f"Compared with the first observation, of {observed[0]}."
    if compared.first:
        print_message(f"{region}: {compared.first} was not observed. {note}")
    return observed[0], note
