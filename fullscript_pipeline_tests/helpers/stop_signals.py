"""A stop signal while DuckDB works. What does not belong here: signals to processes of their own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

import duckdb

# Takes minutes, and ends within a moment once DuckDB is told to.
_LONG = "SELECT count(*) FROM range(100000000000) numbers(number) WHERE number % 7 = 3"


def query_until_stopped(con: duckdb.DuckDBPyConnection) -> None:
    """Runs a query that this process gets SIGINT in."""
    with _signal_soon():
        con.execute(_LONG).fetchall()


@contextmanager
def _signal_soon() -> Iterator[None]:
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, earlier)
