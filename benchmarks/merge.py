"""How long changed orders of three lines take to be merged into many stored ones, and within how much memory.

python benchmarks/merge.py [STORED] [CHANGED] [LINES]       the promise: at most 1 GB, however many are stored
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingest_server import orders
from peak_memory import peak_mb

from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Line, Size, make_line, parse_line
from fullscript_pipeline.warehouse.loading.load import Context, load
from fullscript_pipeline.warehouse.upgrades.migrations import migrate

AT_ONCE = 250_000
MOST_MB = 1_000
_ORDERS = """INSERT INTO core.orders BY NAME SELECT 'c1' AS clinic_id, 'o' || i AS order_id, 'R' || i AS order_number,
    'p' || i % 10000 AS patient_id, TIMESTAMPTZ '2026-01-01' AS completed_at, md5(i::VARCHAR) AS content_hash,
    TIMESTAMPTZ '2026-01-02' AS observed_at, [] AS treatment_plan_ids FROM range($first, $last) AS t(i)"""
_LINES = """INSERT INTO core.order_line_items BY NAME SELECT 'c1' AS clinic_id, 'o' || i AS order_id, position,
    'v' || hash(i, position) % 30000 AS variant_id, 1 AS quantity, md5(i || ':' || position) AS content_hash,
    TIMESTAMPTZ '2026-01-02' AS observed_at FROM range($first, $last) AS t(i), range($lines) AS l(position)"""


def fill(warehouse: Warehouse, stored: int, lines: int, begin: int = 0) -> None:
    """Orders o0 (or `begin`) ... as loads would have left them."""
    for first in range(begin, stored, AT_ONCE):
        bounds = {"first": first, "last": min(first + AT_ONCE, stored)}
        with warehouse.write() as con:
            con.execute(_ORDERS, bounds)
            con.execute(_LINES, {**bounds, "lines": lines})


def changed(number: int, stored: int) -> list[Line]:
    """Spread over the whole table."""
    step = stored // number
    return [parse_line(make_line({**one, "id": f"o{place * step}"})) for place, one in enumerate(orders(number))]


def main(stored: int = 20_000_000, number: int = 10_000, lines: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder) / "w.duckdb")
        migrate(warehouse, [])
        fill(warehouse, stored, lines)
        print(f"{stored} orders of {lines} lines stored, peak {peak_mb():.0f} MB", flush=True)
        arriving = changed(number, stored)
        size = Size().plus([line.record for line in arriving])

        def records() -> Iterator[Line]:
            return iter(arriving)

        for what, expected in (("changed", number), ("the same again", 0)):
            begun, cpu = time.monotonic(), time.process_time()
            with warehouse.write() as con:
                context = Context(
                    server="us-snd",
                    region="us",
                    clinic_id="c1",
                    clinic_key="k",
                    observed_at=datetime.now(UTC),
                    pull_id="p",
                )
                counts = load(con, ORDERS, records, context, size=size)
            took = f"{time.monotonic() - begun:.2f} s, {time.process_time() - cpu:.2f} CPU s"
            print(f"{number} orders {what}: {took}, {counts.changed} written, peak {peak_mb():.0f} MB", flush=True)
            if counts.changed != expected or counts.added:
                sys.exit(f"{expected} orders had to be written.")
        if peak_mb() > MOST_MB:
            sys.exit(f"More than {MOST_MB} MB were needed.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
