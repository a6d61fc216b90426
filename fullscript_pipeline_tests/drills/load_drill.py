"""Promise 17: a loader that is killed leaves the warehouse as it was or as it should be; the next load completes it.

What does not belong here: how many kills (the tests say).
"""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any, cast

import duckdb

from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Line
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.table_hash import combined_hash, differing_tables, table_hashes
from fullscript_pipeline_tests.helpers.warehouse_loads import Record, context, lines_of

ROWS = 300


def snapshot(generation: int) -> dict[str, list[Record]]:
    """Records of three tables; from one generation to the next some change, some go, some come."""
    numbers = [number for number in range(ROWS) if generation == 0 or number % 20]
    numbers += range(ROWS, ROWS + 15 * generation)
    return {
        "patients": [
            {"id": f"p{n}", "first_name": f"F{n}", "archived": n % 7 == 0 and generation > 0} for n in numbers
        ],
        "products": [
            {
                "id": f"x{n}",
                "name": f"N{n}{generation if n % 9 == 0 else ''}",
                "variants": [{"id": f"x{n}-{v}", "msrp": str(v + (generation if n % 11 == 0 else 0))} for v in (1, 2)],
            }
            for n in numbers
        ],
        "orders": [
            {
                "id": f"o{n}",
                "completed_at": "2026-10-01T10:00:00Z",
                "line_items": [{"variant_id": "v", "quantity": 1 + (generation if n % 5 == 0 else 0)}],
            }
            for n in numbers
        ],
    }


_TABLES: dict[str, Table] = {"patients": PATIENTS, "products": PRODUCTS, "orders": ORDERS}


class Counting:
    """A connection that dies, with its process, before the `nth` statement."""

    def __init__(self, con: duckdb.DuckDBPyConnection, nth: int) -> None:
        self._con, self._nth, self.statements = con, nth, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, *arguments: Any) -> Any:
        self.statements += 1
        if self.statements == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._con.execute(*arguments)


def _lines(records: Sequence[Record]) -> Any:
    made: list[Line] = list(lines_of(list(records))())

    def lines() -> Iterator[Line]:
        return iter(made)

    return lines


def load_snapshot(path: Path, generation: int, nth: int = 0) -> int:
    """One transaction; returns how many statements it took. `nth`: dies before that one."""
    with Warehouse(path).write() as con:
        counting = Counting(con, nth)
        for name, records in snapshot(generation).items():
            load(
                cast(duckdb.DuckDBPyConnection, counting),
                _TABLES[name],
                _lines(records),
                context(generation),
                missing_among=EVERYTHING,
            )
        if nth == counting.statements + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return counting.statements


def _doomed(path: Path, nth: int, begun: Event) -> None:
    begun.set()
    load_snapshot(path, 1, nth)


def _forks() -> ForkServerContext:
    context_ = multiprocessing.get_context("forkserver")
    context_.set_forkserver_preload([__name__])
    return context_


def kills_lose_no_row(folder: Path, *, every: int, random_kills: int, seed: int = 17) -> None:
    """Killed before every `every`-th statement of the second load, then at random moments."""
    started, before = time.monotonic(), folder / "before.duckdb"
    migrate(Warehouse(before), [])
    load_snapshot(before, 0)
    detach_all()
    unkilled = Path(shutil.copy(before, folder / "unkilled.duckdb"))
    took = time.monotonic()
    statements = load_snapshot(unkilled, 1)
    took = time.monotonic() - took
    was, wanted = table_hashes(Warehouse(before)), table_hashes(Warehouse(unkilled))
    assert was != wanted
    forks, rng, slowest, kills, committed, runs = _forks(), Random(seed), 0.0, 0, 0, 0
    nths = list(range(1, statements + 2, every))
    # A process that had ended before its moment came does not count: others take its place.
    while kills < len(nths) - 1 + random_kills and runs < len(nths) + 5 * random_kills:
        nth, delay = (nths[runs], 0.0) if runs < len(nths) else (0, rng.uniform(0, took * 3))
        runs += 1
        path = Path(shutil.copy(before, folder / "killed.duckdb"))
        begun = forks.Event()
        doomed = forks.Process(target=_doomed, args=(path, nth, begun))
        doomed.start()
        if not nth:
            assert begun.wait(60)
            doomed.join(delay)
            doomed.kill()
        doomed.join(60)
        kills += doomed.exitcode == -signal.SIGKILL
        opened = time.monotonic()
        found = table_hashes(Warehouse(path))
        slowest = max(slowest, time.monotonic() - opened)
        assert found in (was, wanted), differing_tables(wanted, found)
        committed += found == wanted
        load_snapshot(path, 1)
        assert table_hashes(Warehouse(path)) == wanted, differing_tables(wanted, table_hashes(Warehouse(path)))
        detach_all()
        for left in folder.glob("killed.duckdb*"):
            left.unlink()
    report_promise(
        "promise 17", statements=statements, kills=kills, acked=committed, stored=runs, lost=0, duplicated=0,
        phantom=0, slowest_reopen_s=slowest, hash=combined_hash(wanted), seconds=time.monotonic() - started,
    )  # fmt: skip
    assert slowest <= 5
