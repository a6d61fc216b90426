"""Whether somebody has asked this process to stop, whatever library was at work when the signal came.

Dagster and DuckDB catch signals of their own accord and may take them for a failure of the step at hand. What does not
belong here: what is done about it (`in_process_runs`).
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_STOPS = {int(signal.SIGINT), int(signal.SIGTERM)}


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether SIGINT or SIGTERM has come since. Only the main thread can know; elsewhere it
    is always False."""
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
