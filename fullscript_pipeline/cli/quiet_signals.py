"""Signals while a web server of ours runs in this process: the server stops, and nothing is printed about it.

What does not belong here: the servers.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_signals() -> Iterator[None]:
    """uvicorn stops on these signals, then raises them again for the previous handlers: ours, which do nothing."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
