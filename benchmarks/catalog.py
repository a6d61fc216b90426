"""How big a catalog's history grows and how fast it is compared: a year of daily pulls with 0.5 % change a day.

python benchmarks/catalog.py [PRODUCTS] [DAYS]
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import duckdb
from peak_memory import peak_mb

from fullscript_pipeline.catalog import build_catalog_changes, changes_between, digest_between, format_table
from fullscript_pipeline.catalog.observed_days import end_of
from fullscript_pipeline.cli.lazy_imports import freeze_imports
from fullscript_pipeline.reports import ReportStore, render_catalog_digest
from fullscript_pipeline.reports.language import page_language
from fullscript_pipeline.reports.product_pages import CatalogDay, write_product_pages
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate

FIRST = date(2025, 11, 22)
UTC = ZoneInfo("UTC")
SHARE = 0.005
T = TypeVar("T")

# Every id's text is a function of its number, so that nothing has to be kept while the history is written.
_BRANDS = """INSERT INTO history.brands BY NAME
SELECT 'us' AS region, 'b' || i AS brand_id, 'Brand ' || i AS name, 'available' AS status, $at AS valid_from,
    $at AS known_at,
    $at AS observed_at, md5('b' || i) AS content_hash FROM range(400) AS t(i)"""
_PRODUCTS = """INSERT INTO history.products BY NAME
SELECT 'us' AS region, uuid_of(i) AS product_id, 'Product ' || i AS name, 'b' || i % 400 AS brand_id,
    '<p>' || repeat('What it is good for and how it is made, in many words. ', 12) || md5(i || ':' || $nth) || '</p>'
        AS description_html,
    '1' AS dosage_recommended_amount, 'twice per day' AS dosage_recommended_frequency, 'capsule' AS dosage_format,
    json_object('brand', json_object('id', 'b' || i % 400, 'name', 'Brand ' || i % 400)) AS extra,
    $at AS valid_from, $at AS known_at, $at AS observed_at, md5(i || ':' || $nth) AS content_hash FROM picked"""
_VARIANTS = """INSERT INTO history.variants BY NAME
SELECT 'us' AS region, uuid_of(1000000 + i) AS variant_id, uuid_of(i // 3) AS product_id, 'SKU' || i AS sku,
    i % 3 = 0 AS is_primary, 30 * (1 + i % 3) AS units, (30 * (1 + i % 3))::VARCHAR AS units_raw,
    'capsule' AS unit_of_measure, 'In Stock' AS availability, 'available' AS status, i::VARCHAR AS upc,
    (10 + (i * 7 + $nth * 13) % 90)::DECIMAL(18,4) AS msrp, (10 + (i * 7 + $nth * 13) % 90) || '.00' AS msrp_raw,
    $at AS valid_from, $at AS known_at, $at AS observed_at, md5(i || '-' || $nth) AS content_hash FROM picked"""


def fill(con: duckdb.DuckDBPyConnection, products: int, days: int) -> None:
    """Day by day: a version of every object on the first, then of the share that changed."""
    con.execute(
        "CREATE TEMP MACRO uuid_of(i) AS left(md5(i::VARCHAR), 8) || '-0000-4000-a000-' || left(md5('x' || i), 12)"
    )
    for nth in range(days):
        at = end_of(FIRST + timedelta(days=nth), UTC) - timedelta(hours=12)
        con.execute(
            "INSERT INTO ops.pulls (region, day, resource, outcome, observed_at, finished_at, complete) "
            "SELECT 'us', ?, unnest(['products', 'brands']), 'loaded', ?, ?, true",
            [at.date(), at, at],
        )
        if nth == 0:
            con.execute(_BRANDS, {"at": at})
        for insert, table, key, count in (
            (_PRODUCTS, "products", "uuid_of(i)", products),
            (_VARIANTS, "variants", "uuid_of(1000000 + i)", products * 3),
        ):
            share = 1.0 if nth == 0 else SHARE
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE picked AS SELECT i FROM range({count}) AS t(i) "
                f"WHERE hash(i, {nth}, '{table}') % 100000 < {share * 100000}"
            )
            if nth:
                ident = {"products": "product_id", "variants": "variant_id"}[table]
                con.execute(
                    f"UPDATE history.{table} SET valid_to = ? WHERE valid_to IS NULL AND {ident} IN "
                    f"(SELECT {key} FROM picked)",
                    [at],
                )
            con.execute(insert, {"at": at, "nth": nth})


def timed(what: str, work: Callable[[], T]) -> T:
    """Runs it, prints its wall and CPU seconds and the process's peak memory so far."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    seconds, used = time.perf_counter() - began, time.process_time() - used
    peak = peak_mb()
    print(f"{what:<52} {seconds:7.2f} s   {used:6.2f} CPU s   peak {peak:6,.0f} MiB", flush=True)
    return found


def size_of(folder: Path, products: int, days: int) -> tuple[Warehouse, int]:
    """A warehouse of that many days, and the bytes of its file."""
    warehouse = Warehouse(folder / f"history-{days}.duckdb")
    migrate(warehouse, [(files("fullscript_pipeline.catalog") / "sql" / "marts.sql").read_text()])
    with warehouse.maintain() as con:
        fill(con, products, days)
        con.execute("CHECKPOINT warehouse")
    return warehouse, warehouse.path.stat().st_size


def main() -> None:
    products = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 365
    last = FIRST + timedelta(days=days - 1)
    with freeze_imports():
        pass  # garbage is collected as seldom as in a command
    with tempfile.TemporaryDirectory() as folder:
        _, snapshot = size_of(Path(folder), products, 1)
        warehouse, whole = timed("(writing the history)", lambda: size_of(Path(folder), products, days))
        print(f"{products:,} products, {products * 3:,} variants, {days} days, {SHARE:.1%} change a day")
        print(f"one snapshot {snapshot / 2**20:.1f} MiB, the whole history {whole / 2**20:.1f} MiB, ", end="")
        print(f"{days} snapshots would be {snapshot * days / 2**20:,.0f} MiB")

        def build(since: date | None) -> int:
            with warehouse.write() as con:
                at = end_of(since - timedelta(days=1), UTC) if since else None
                return build_catalog_changes(con, "us", time_zone=UTC, since=at)

        def diff(first: date, to: date) -> int:
            with warehouse.read() as con:
                con.execute("SET threads = 2")
                return len(changes_between(con, "us", first, to, UTC))

        def table() -> int:
            with warehouse.read() as con:
                digest = digest_between(con, "us", FIRST, last, UTC, release=True)
            return len(format_table(digest).splitlines())

        def page() -> int:
            with warehouse.read() as con:
                digest = digest_between(con, "us", FIRST, last, UTC, release=True)
            return len(render_catalog_digest(digest, rendered_at=datetime.now(UTC), time_zone=UTC))

        def product_pages() -> int:
            store = ReportStore(Path(folder) / "reports")
            of = CatalogDay(
                region="us", since=FIRST, day=last, time_zone=UTC, rendered_text="now", language=page_language("en")
            )
            with warehouse.write() as con:
                return write_product_pages(con, store, of)

        timed("daily change detection (the last day)", lambda: build(last))
        middle = FIRST + timedelta(days=days // 2)
        for name, first, to in (
            ("two neighbouring days", max(FIRST, last - timedelta(days=1)), last),
            ("a month", max(FIRST, last - timedelta(days=30)), last),
            ("half a year, in the past", FIRST, middle),
            ("the whole span", FIRST, last),
        ):
            rows = timed(f"diff of {name}", lambda first=first, to=to: diff(first, to))  # type: ignore[misc]
            print(f"    {rows:,} changes")
        print(f"    {timed('the same as a digest on a terminal', table)} lines")
        print(f"    {timed('the same as a page', page):,} bytes")
        rows = timed("the whole change table from nothing", lambda: build(None))
        print(f"    {rows:,} rows")
        print(f"    {timed('the first page of every product that changed', product_pages):,} pages")
        detach_all()  # nobody may write in a folder that is removed


if __name__ == "__main__":
    main()
