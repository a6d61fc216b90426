"""A few threads for one kind of work, taken on one item at a time; what comes back comes as it is ready.

Not `concurrent.futures`: its threads keep a process from ending until the slowest answer is there, and an interrupted
pull has to stop within seconds. What does not belong here: what the work is.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

IN_FLIGHT = 8
# How long those still at work are waited for when the caller gives up.
_LEAVE_AFTER = 3.0
I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")


def as_they_come(work: Callable[[I], T], items: Iterable[I], workers: int = IN_FLIGHT) -> Iterator[tuple[I, T]]:
    """(item, `work(item)`) in the order of their completion; the first error stops what has not begun and is raised.

    The next item is taken only after the caller has dealt with a result: at most `workers` items are asked for and not
    yet dealt with at any time.
    """
    jobs: SimpleQueue[I | None] = SimpleQueue()
    results: SimpleQueue[tuple[I, T | None, BaseException | None]] = SimpleQueue()
    threads: list[threading.Thread] = []
    open_items, todo = 0, iter(items)

    def serve() -> None:
        while (item := jobs.get()) is not None:
            try:
                results.put((item, work(item), None))
            except BaseException as error:
                results.put((item, None, error))

    try:
        while True:
            for item in _up_to(workers - open_items, todo):
                jobs.put(item)
                open_items += 1
                if len(threads) < open_items:
                    threads.append(threading.Thread(target=serve, daemon=True))
                    threads[-1].start()
            if not open_items:
                return
            item, result, error = results.get()
            open_items -= 1
            if error is not None:
                raise error
            yield item, result  # type: ignore[misc]
    finally:
        _dismiss(jobs, threads)


def _up_to(number: int, items: Iterator[I]) -> Iterator[I]:
    for _ in range(number):
        for item in items:
            yield item
            break


def _dismiss(jobs: "SimpleQueue[I | None]", threads: list[threading.Thread]) -> None:
    """Nothing more is begun; who is at work may finish, but is not waited for much longer."""
    with suppress(Empty):
        while True:
            jobs.get_nowait()
    for _ in threads:
        jobs.put(None)
    until = time.monotonic() + _LEAVE_AFTER
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
