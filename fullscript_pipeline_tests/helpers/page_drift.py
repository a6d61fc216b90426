"""A list of patients that moves while it is read, behind a real server, and a pull of it.

What does not belong here: what must hold afterwards (the tests).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import FetchedList, Load, Pull, Report, SharedPulls, Target
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, Seen, odd_server

Row = dict[str, object]


@dataclass
class MovingList:
    """Rows that `move` may change before each answer; `size` is the server's own page size, whatever is asked."""

    rows: list[Row] = field(default_factory=list)
    size: int = 100
    move: Callable[["MovingList"], None] = lambda self: None
    reverse: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: int = 0

    def add(self, place: int | None = None) -> None:
        self.made += 1
        row: Row = {"id": f"p{self.made}", "first_name": f"First{self.made}", "email": "", "archived": False}
        self.rows.insert(len(self.rows) if place is None else place, row)

    def answer(self, request: Seen) -> Reply:
        with self.lock:
            self.move(self)
            number = int(request.query["page[number]"])
            rows = self.rows[::-1] if self.reverse else self.rows
            pages = -(-len(rows) // self.size)
            meta = {
                "current_page": number,
                "next_page": number + 1 if number < pages else None,
                "total_pages": pages,
                "total_count": len(rows),
            }
            return Reply(body={"patients": rows[(number - 1) * self.size : number * self.size], "meta": meta})


@dataclass
class Puller:
    """Pulls the list of a server into a warehouse, as the assets do."""

    warehouse: Warehouse
    landing: Path
    session: ClinicSession
    shared: SharedPulls | None = None

    def target(self, day: datetime | None = None) -> Target:
        when = (day or datetime.now(UTC)).date()
        return Target(
            warehouse=self.warehouse,
            landing_dir=self.landing,
            encryption_key=None,
            server=CLINIC.server,
            region=CLINIC.region,
            day=when,
            run_id="run",
            clinic=CLINIC,
            shared=self.shared,
        )

    def pull(self) -> Report:
        pull = Pull(self.target(), "patients")
        return self.commit(pull, pull.walk(self.session, "patients"))

    def commit(self, pull: Pull, listing: FetchedList) -> Report:
        return pull.commit(
            Load(table=PATIENTS, lines=pull.lines("patients"), missing_among=EVERYTHING if listing.complete else None),
            total_count=listing.total_count,
        )

    def present(self) -> dict[str, str]:
        with self.warehouse.read() as con:
            return dict(
                con.execute("SELECT patient_id, first_name FROM core.patients WHERE removed_at IS NULL").fetchall()
            )

    def pull_columns(self, columns: str) -> tuple[object, ...]:
        """Columns of the last row of ops.pulls."""
        with self.warehouse.read() as con:
            row = con.execute(f"SELECT {columns} FROM ops.pulls ORDER BY finished_at DESC LIMIT 1").fetchone()
        assert row is not None
        return row


@contextmanager
def pulled(warehouse: Warehouse, folder: Path, world: MovingList) -> Iterator[tuple[Puller, OddServer]]:
    with odd_server(world.answer) as server, session_at(server.url) as session:
        yield Puller(warehouse, folder / "landing", session), server


@dataclass
class Drift:
    """Inserts, deletes and changes rows at random between answers, a few times per walk.

    Only `deletes` rows go: more at once would be held back, and rightly. Beyond `most` rows none is added: a list of
    one-row pages would grow faster than it is read.
    """

    random: Random
    chance: float
    most: int = 1000
    moves: int = 0
    deletes: int = 3

    def __call__(self, world: MovingList) -> None:
        if self.random.random() >= self.chance:
            return
        self.moves += 1
        what = self.random.choice(("insert", "delete", "change"))
        place = self.random.randrange(len(world.rows)) if world.rows else 0
        if len(world.rows) < self.most and (what == "insert" or len(world.rows) < 4):
            world.add(place)
        elif what == "delete" and self.deletes:
            self.deletes -= 1
            world.rows.pop(place)
        else:
            world.rows[place] = {**world.rows[place], "first_name": f"Changed{self.moves}"}
