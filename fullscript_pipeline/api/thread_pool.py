"""Runs one kind of work in a few threads and yields each result as soon as it is ready.

Not `concurrent.futures`: its threads keep a process alive until the slowest answer has arrived, and an interrupted pull
has to stop within seconds. What does not belong here: what the work is.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeVar

IN_FLIGHT = 8
# How long running threads are waited for when the caller stops early.
_LEAVE_AFTER = 3.0
Job = TypeVar("Job")
Result = TypeVar("Result")


def iter_completed(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int = IN_FLIGHT
) -> Iterator[tuple[Job, Result]]:
    """Yields (job, `work(job)`) in the order of completion. The first error is raised, and no further job is started.

    The next job is taken only after the caller has processed a result: at most `workers` jobs are started and not yet
    processed at any time.
    """
    queued: SimpleQueue[Job | None] = SimpleQueue()
    completed: SimpleQueue[tuple[Job, Result | None, BaseException | None]] = SimpleQueue()
    serve = partial(_serve, work, queued, completed)
    threads: list[threading.Thread] = []
    open_jobs, remaining = 0, iter(jobs)

    try:
        while True:
            for job in islice(remaining, workers - open_jobs):
                queued.put(job)
                open_jobs += 1
                if len(threads) < open_jobs:
                    threads.append(threading.Thread(target=serve, daemon=True))
                    threads[-1].start()
            if not open_jobs:
                return
            job, outcome, error = completed.get()
            open_jobs -= 1
            if error is not None:
                raise error
            yield job, outcome  # type: ignore[misc]
    finally:
        _dismiss(queued, threads)


def _serve(
    work: Callable[[Job], Result],
    queued: "SimpleQueue[Job | None]",
    completed: "SimpleQueue[tuple[Job, Result | None, BaseException | None]]",
) -> None:
    """Does queued jobs until a None is queued."""
    while (job := queued.get()) is not None:
        try:
            completed.put((job, work(job), None))
        except BaseException as error:
            completed.put((job, None, error))


def _dismiss(queued: "SimpleQueue[Job | None]", threads: list[threading.Thread]) -> None:
    """Starts nothing more; running threads may finish, but are waited for a few seconds only."""
    with suppress(Empty):
        while True:
            queued.get_nowait()
    for _ in threads:
        queued.put(None)
    until = time.monotonic() + _LEAVE_AFTER
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
