"""Promise 21: whatever moves between the pages, nothing is missing after the next sweep.

What does not belong here: how many histories (the tests say).
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.page_drift import Drift, MovingList, pulled

# Page size -> the most rows, so that a walk has up to a dozen pages.
_ROWS = {1: 10, 20: 150, 100: 600}


@dataclass
class Found:
    """What was counted over all histories."""

    moves: int = 0
    requests: int = 0
    stored: int = 0
    lost: int = 0
    phantom: int = 0
    stale: int = 0
    duplicated: int = 0
    uneven: int = 0


def drift_loses_nothing(folder: Path, *, histories: int, seed: int = 21) -> None:
    """Each history: a pull of a moving list, then one of the list at rest; compared with what the server holds."""
    started, found = time.monotonic(), Found()
    empty = folder / "empty.duckdb"
    migrate(Warehouse(empty), [])
    detach_all()
    for size in _ROWS:
        own = folder / str(size)
        own.mkdir()
        warehouse = Warehouse(Path(shutil.copy(empty, own / "w.duckdb")))
        _histories(warehouse, own, size, histories // len(_ROWS), Random(seed + size), found)
    report_promise(
        "promise 21", histories=histories, moves=found.moves, requests=found.requests, stored=found.stored,
        lost=found.lost, duplicated=found.duplicated, phantom=found.phantom, stale=found.stale,
        pulls_that_stayed_uneven=found.uneven, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert (found.lost, found.duplicated, found.phantom, found.stale) == (0, 0, 0, 0)
    assert found.moves >= histories


def _histories(warehouse: Warehouse, folder: Path, size: int, number: int, random: Random, found: Found) -> None:
    world = MovingList(size=size)
    with pulled(warehouse, folder, world) as (puller, server):
        for _ in range(number):
            wanted = random.randrange(2, _ROWS[size])
            while len(world.rows) < wanted:
                world.add(random.randrange(len(world.rows) + 1))
            # By and by: a list that shrinks by half at once would be held back, and rightly.
            del world.rows[max(wanted, int(len(world.rows) * 0.95)) :]
            drift = Drift(random, random.choice((0.1, 0.3, 0.6)), most=_ROWS[size])
            world.move = drift
            found.uneven += puller.pull().reason is not None
            world.move = lambda _: None
            puller.pull()
            found.moves += drift.moves
            _compare(found, puller.present(), {str(row["id"]): str(row["first_name"]) for row in world.rows})
            found.requests += len(server.requests)
            server.requests.clear()
    with warehouse.read() as con:
        twice = con.execute("SELECT 1 FROM core.patients GROUP BY patient_id HAVING count(*) > 1").fetchall()
    found.duplicated += len(twice)


def _compare(found: Found, stored: dict[str, str], true: dict[str, str]) -> None:
    found.stored += len(stored)
    found.lost += len(true.keys() - stored.keys())
    found.phantom += len(stored.keys() - true.keys())
    found.stale += sum(stored[one] != name for one, name in true.items() if one in stored)
