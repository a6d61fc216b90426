"""Sets DuckDB's memory limit through another connection.

A limit below the memory in use fails, and would fail the transaction of the statement. What does not belong here: how
much memory is needed (`warehouse.memory`, and the modules that need more).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


def set_memory_limit(con: duckdb.DuckDBPyConnection, limit: str) -> None:
    """Sets the limit of the connection's instance; the limit is not changed if more memory is in use."""
    with con.cursor() as cursor:
        before = _limit(cursor)
        try:
            cursor.execute(f"SET memory_limit = '{limit}'")
        except duckdb.OutOfMemoryException:
            # The limit is set nevertheless, and the next statements would fail.
            cursor.execute(f"SET memory_limit = '{before}'")


@contextmanager
def memory_limit(con: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Sets another limit within the block. It may stay if memory cannot be released: it is a limit, not a usage."""
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
