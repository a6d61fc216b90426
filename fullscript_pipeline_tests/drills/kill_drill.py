"""Promise 27: a pull whose process is killed, or asked to stop in the middle of a page, is completed by the next one.

The process pulls a slow list; `kill -9` and SIGTERM come when so many pages are landed. The next pull is in the same
folder, or, for promise 43, on another machine that shares the state store and a bucket. What does not belong here: how
many times (the tests say).
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

from fullscript_pipeline.extraction.engine import SharedPulls
from fullscript_pipeline.files.bucket import BucketFiles
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile
from fullscript_pipeline.warehouse.files.shared_landing import SharedLanding
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.api_sessions import session_at
from fullscript_pipeline_tests.helpers.page_drift import MovingList, Puller
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

PAGES, SIZE = 40, 5
# A page that does not come: the process has to stop all the same.
_HANGS = 30.0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt  # as the command line does


@dataclass(frozen=True)
class Stores:
    """What two machines share: the address of a state store, a place in a bucket, and AWS's variables for it."""

    state: str
    bucket: str
    variables: Mapping[str, str]

    @contextmanager
    def pulls_of(self, machine: Path) -> Iterator[SharedPulls]:
        """Where the pulls of a machine land; `machine`: its own folder."""
        os.environ.update(self.variables)  # the process from which ours are forked may be older
        with StateStore(self.state) as store:
            landing = SharedLanding(BucketFiles(f"{self.bucket}/{machine.parent.name}"), machine)
            yield SharedPulls(landing=landing, claims=store.landing_claims)


def _pull(folder: Path, url: str, stores: Stores | None) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    with session_at(url) as session, _shared(stores, folder / "one") as shared:
        Puller(Warehouse(folder / "w.duckdb"), folder / "landing", session, shared).pull()


def _shared(stores: Stores | None, machine: Path) -> AbstractContextManager[SharedPulls | None]:
    return stores.pulls_of(machine) if stores else nullcontext()


def _landed_pages(folder: Path, shared: SharedPulls | None) -> set[str]:
    """The pages that the process landed which is gone."""
    if shared:
        (day,) = {name.rpartition("/")[0].rpartition("/")[0] for name in shared.landing.files.names_below("")}
        (pull,) = shared.landing.unfinished(day)
        return {str(request.page) for request in shared.landing.open(pull, None, lambda: None).requests()}
    (unfinished,) = (folder / "landing").rglob("*.open")
    landed = FrameFile(unfinished)
    landed.cut_torn_end()
    return {str(request.page) for request in landed.requests()}


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def deaths_cost_a_page_a_worker(
    folder: Path, *, deaths: Sequence[tuple[int, int]], stores: Stores | None = None
) -> None:
    """`deaths`: (signal, after how many answers). Each time a fresh warehouse, a death, and a pull that completes."""
    started, slowest, again, stored = time.monotonic(), 0.0, 0, 0
    for number, (sign, after) in enumerate(deaths):
        own = folder / str(number)
        own.mkdir()
        warehouse = Warehouse(own / "w.duckdb")
        migrate(warehouse, [])
        took, asked_again, rows = _death(warehouse, own, sign, after=after, stores=stores)
        slowest, again, stored = max(slowest, took), max(again, asked_again), stored + rows
    report_promise(
        "promise 43" if stores else "promise 27", kills=len(deaths), acked=len(deaths) * PAGES * SIZE, stored=stored,
        lost=len(deaths) * PAGES * SIZE - stored, duplicated=0, phantom=0, most_pages_asked_again=again,
        slowest_stop_s=slowest, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert stored == len(deaths) * PAGES * SIZE
    assert again <= 8
    assert slowest <= 10


def _death(
    warehouse: Warehouse, folder: Path, sign: int, *, after: int, stores: Stores | None
) -> tuple[float, int, int]:
    """Seconds until the process was gone, pages asked a second time, rows in the end."""
    world, reached, going = MovingList(size=SIZE), threading.Event(), threading.Event()
    for _ in range(PAGES * SIZE):
        world.add()

    def answer(seen: Seen) -> Reply:
        if len(server.requests) > after and not going.is_set():
            reached.set()
            going.wait(_HANGS)
        return world.answer(seen)

    with odd_server(answer) as server:
        doomed = _forks().Process(target=_pull, args=(folder, server.url, stores))
        doomed.start()
        assert reached.wait(60)
        time.sleep(0.2)
        killed_at = time.monotonic()
        assert doomed.pid is not None
        os.kill(doomed.pid, sign)
        doomed.join(60)
        took = time.monotonic() - killed_at
        going.set()
        asked = {seen.query["page[number]"] for seen in server.requests}
        server.requests.clear()
        with session_at(server.url) as session, _shared(stores, folder / "two") as shared:
            there = _landed_pages(folder, shared)
            puller = Puller(warehouse, folder / "landing", session, shared)
            assert puller.present() == {}, "no part of a list is shown"
            puller.pull()
            second = [seen.query["page[number]"] for seen in server.requests]
            assert not there.intersection(second)
            return took, len(asked.intersection(second)), len(puller.present())
