"""Detects stop signals to this process, whichever library was running when the signal arrived.

Dagster and DuckDB catch signals themselves and may report them as a failure of the current step. What does not belong
here: the reaction (`in_process_runs`).
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_STOPS = {int(signal.SIGINT), int(signal.SIGTERM)}


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether SIGINT or SIGTERM arrived since. Outside the main thread: always False."""
    reading, writing = socket.socketpair()
    received: set[int] = set()

    def stop_requested() -> bool:
        with suppress(BlockingIOError):
            received.update(reading.recv(64))
        return bool(received & _STOPS)

    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        try:
            before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        except ValueError:  # not the main thread
            yield lambda: False
            return
        try:
            yield stop_requested
        finally:
            signal.set_wakeup_fd(before)
