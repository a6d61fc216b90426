"""How much of a region's catalog is seen, and from which catalog sources.

Most apps may not read the full product list. A product that is not seen is unknown, and every digest says so. What does
not belong here: changes (changes.py), layout.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.observed_days import end_of
from fullscript_pipeline.plural import counted
from fullscript_pipeline.typed_rows import typed_row

# By known time: an event may date a version to before it was first seen.
_THERE = """(SELECT count(*) FROM (SELECT arg_max(removed_at IS NULL, valid_from) AS there FROM history.{table}s
    WHERE region = $region AND known_at <= {at} GROUP BY {table}_id) WHERE there)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the region was seen.

    `full_listing`: whether the whole product list could be read; None: not recorded. `first_seen`: products that were
    only unknown before, so they do not count as new. `before`: the number of products at the end of the day compared
    with; None: not counted.
    """

    products: int
    variants: int
    full_listing: bool | None
    first_seen: int = 0
    before: int | None = None

    def sentence(self) -> str:
        """The coverage line of a digest."""
        products = f"{counted(self.products, 'product')} seen"
        if self.full_listing is False:
            return f"{products} (full listing not permitted to this app)"
        return f"{products} (full listing)" if self.full_listing else products


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePull:
    """The pull of one catalog source on a day: a clinic's list, or look-ups by id. `reason`: why it was refused."""

    resource: str
    clinic_key: str | None
    outcome: str
    rows: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageDay:
    """The coverage of a region at the end of a day, and the pulls of its catalog sources on that day."""

    day: date
    coverage: Coverage
    pulls: tuple[SourcePull, ...]


def coverage_between(
    con: duckdb.DuckDBPyConnection,
    region: str,
    from_day: date,
    to_day: date,
    time_zone: ZoneInfo,
    changes: Iterable[CatalogChange] = (),
) -> Coverage:
    """The coverage at the end of `to_day`.

    `changes` must be complete: they decide which of the products first seen are new.
    """
    end = end_of(to_day, time_zone)
    there = {name: _THERE.format(table=name, at="$at") for name in ("product", "variant")}
    sql = f"""SELECT {there["product"]}, {there["variant"]}, {_THERE.format(table="product", at="$since")},
        (SELECT count(*) FROM (SELECT min(known_at) AS first_at FROM history.products WHERE region = $region
            GROUP BY product_id HAVING first_at > $since AND first_at <= $at))"""
    values = {"region": region, "at": end, "since": end_of(from_day, time_zone)}
    products, variants, before, first = con.execute(sql, values).fetchone() or (0, 0, 0, 0)
    added = sum(row.entity == "product" and row.change == "added" for row in changes)
    return Coverage(
        products=products,
        variants=variants,
        full_listing=_full_listing(con, region, to_day),
        first_seen=max(0, first - added),
        before=before,
    )


def coverage_by_day(
    con: duckdb.DuckDBPyConnection, region: str, observed: Iterable[date], time_zone: ZoneInfo
) -> list[CoverageDay]:
    """The coverage and the source pulls of each observed day."""
    return [
        CoverageDay(
            day=day,
            coverage=coverage_between(con, region, day, day, time_zone=time_zone),
            pulls=tuple(_source_pulls(con, region, day)),
        )
        for day in observed
    ]


def _full_listing(con: duckdb.DuckDBPyConnection, region: str, day: date) -> bool | None:
    last_pull = con.execute(
        "SELECT outcome FROM ops.pulls WHERE region = ? AND resource = 'products' AND day <= ? "
        "AND outcome IN ('loaded', 'not_available') ORDER BY day DESC, finished_at DESC LIMIT 1",
        [region, day],
    ).fetchone()
    return None if last_pull is None else last_pull[0] == "loaded"


def _source_pulls(con: duckdb.DuckDBPyConnection, region: str, day: date) -> list[SourcePull]:
    """The last pull of each catalog source on a day."""
    sql = """SELECT p.resource, c.clinic_key, p.outcome, coalesce(p.rows_read, 0), p.reason FROM ops.pulls AS p
        LEFT JOIN core.clinics AS c ON c.clinic_id = p.clinic_id
        WHERE p.region = ? AND p.day = ?
            AND p.resource IN ('products', 'products_by_id', 'categories', 'variants', 'brands')
        QUALIFY row_number() OVER (PARTITION BY p.resource, p.clinic_id ORDER BY p.finished_at DESC) = 1
        ORDER BY p.resource, c.clinic_key"""
    return [typed_row(SourcePull, row) for row in con.execute(sql, [region, day]).fetchall()]
