"""Promise 27: a pull whose process is killed, or asked to stop in the middle of a page, is completed by the next one.

The process pulls a slow list; `kill -9` and SIGTERM come when so many pages are landed. What does not belong here: how
many times (the tests say).
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile
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


def _pull(folder: Path, url: str) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    with session_at(url) as session:
        Puller(Warehouse(folder / "w.duckdb"), folder / "landing", session).pull()


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def deaths_cost_a_page_a_worker(folder: Path, *, deaths: Sequence[tuple[int, int]]) -> None:
    """`deaths`: (signal, after how many answers). Each time a fresh warehouse, a death, and a pull that completes."""
    started, slowest, again, stored = time.monotonic(), 0.0, 0, 0
    for number, (sign, after) in enumerate(deaths):
        own = folder / str(number)
        own.mkdir()
        warehouse = Warehouse(own / "w.duckdb")
        migrate(warehouse, [])
        took, asked_again, rows = _death(warehouse, own, sign, after)
        slowest, again, stored = max(slowest, took), max(again, asked_again), stored + rows
    report_promise(
        "promise 27", kills=len(deaths), acked=len(deaths) * PAGES * SIZE, stored=stored,
        lost=len(deaths) * PAGES * SIZE - stored, duplicated=0, phantom=0, most_pages_asked_again=again,
        slowest_stop_s=slowest, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert stored == len(deaths) * PAGES * SIZE
    assert again <= 8
    assert slowest <= 10


def _death(warehouse: Warehouse, folder: Path, sign: int, after: int) -> tuple[float, int, int]:
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
        doomed = _forks().Process(target=_pull, args=(folder, server.url))
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
        (unfinished,) = (folder / "landing").rglob("*.open")
        landed = FrameFile(unfinished)
        landed.cut_torn_end()
        there = {str(request.page) for request in landed.requests()}
        server.requests.clear()
        with session_at(server.url) as session:
            puller = Puller(warehouse, folder / "landing", session)
            assert puller.present() == {}, "no part of a list is shown"
            puller.pull()
            second = [seen.query["page[number]"] for seen in server.requests]
            assert not there.intersection(second)
            return took, len(asked.intersection(second)), len(puller.present())
