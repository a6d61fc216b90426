"""How long 10,000 changed orders take to be merged into 5 million.

python benchmarks/merge.py [STORED] [CHANGED]       the promise: at most 2 s for the defaults
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingest_server import orders

from fullscript_pipeline.warehouse.commerce import ORDERS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Line, make_line, parse_line
from fullscript_pipeline.warehouse.load import Context, load
from fullscript_pipeline.warehouse.migrations import migrate


def fill(warehouse: Warehouse, stored: int) -> None:
    """Orders o0 ... as a load would have left them, one line each."""
    with warehouse.write() as con:
        con.execute(
            "INSERT INTO core.orders BY NAME SELECT 'c1' AS clinic_id, 'o' || range AS order_id, 'R' || range AS "
            "order_number, "
            "md5(range::VARCHAR) AS patient_id, TIMESTAMPTZ '2026-01-01' AS completed_at, md5(range::VARCHAR) AS "
            "content_hash, TIMESTAMPTZ '2026-01-02' AS observed_at, [] AS treatment_plan_ids FROM range(?)",
            [stored],
        )
        con.execute(
            "INSERT INTO core.order_line_items BY NAME SELECT 'c1' AS clinic_id, 'o' || range AS order_id, "
            "0 AS position, "
            "md5(range::VARCHAR) AS variant_id, 1 AS quantity FROM range(?)",
            [stored],
        )


def changed(number: int, stored: int) -> list[Line]:
    """Spread over the whole table."""
    step = stored // number
    return [parse_line(make_line({**one, "id": f"o{place * step}"})) for place, one in enumerate(orders(number))]


def main(stored: int = 5_000_000, number: int = 10_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder) / "w.duckdb")
        migrate(warehouse, [])
        fill(warehouse, stored)
        arriving = changed(number, stored)

        def lines() -> Iterator[Line]:
            return iter(arriving)

        for what in ("changed", "the same again"):
            begun, cpu = time.monotonic(), time.process_time()
            with warehouse.write() as con:
                counts = load(con, ORDERS, lines, Context("us-snd", "us", "c1", "k", datetime.now(UTC), "p"))
            took = f"{time.monotonic() - begun:.2f} s, {time.process_time() - cpu:.2f} CPU s"
            print(f"{number} orders {what} into {stored}: {took}, {counts.changed + counts.added} written")
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
