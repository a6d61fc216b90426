"""Sets DuckDB's memory limit through another connection: a limit below what is in use fails, and the statement would
fail the transaction that it is part of.

What does not belong here: how much is needed (`warehouse.memory`, and whoever asks for more).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


def set_memory_limit(con: duckdb.DuckDBPyConnection, limit: str) -> None:
    """Sets the limit of the connection's instance; it stays as it is where more is in use."""
    with con.cursor() as cursor:
        before = _limit(cursor)
        try:
            cursor.execute(f"SET memory_limit = '{limit}'")
        except duckdb.OutOfMemoryException:
            # It is in force all the same, and whatever came next would fail.
            cursor.execute(f"SET memory_limit = '{before}'")


@contextmanager
def memory_limit(con: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Another limit in this block. What cannot be given back afterwards may stay: it is a limit, not what is taken."""
    with con.cursor() as cursor:
        before = _limit(cursor)
    set_memory_limit(con, limit)
    try:
        yield
    finally:
        set_memory_limit(con, before)


def _limit(con: duckdb.DuckDBPyConnection) -> str:
    (limit,) = con.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    return str(limit)
