"""Sets DuckDB's memory limit through another connection.

A limit below the memory in use fails, and would fail the transaction of the statement. What does not belong here: how
much memory is needed (`warehouse.memory`, and the modules that need more).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


def set_memory_limit(con: duckdb.DuckDBPyConnection, limit: str) -> None:
    """Sets the limit of the connection's instance; the limit is not changed if more memory is in use."""
    with con.cursor() as cursor:
        _set(cursor, limit, otherwise=_limit(cursor))


@contextmanager
def memory_limit(con: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Sets another limit within the block. It may stay if memory cannot be released: it is a limit, not a usage."""
    with con.cursor() as cursor:
        before = _limit(cursor)
        _set(cursor, limit, otherwise=before)
    try:
        yield
    finally:
        # Without a query: under a low limit it could run out of memory, and the low limit would stay.
        with con.cursor() as cursor:
            _set(cursor, before, otherwise=limit)


def release_memory(con: duckdb.DuckDBPyConnection) -> None:
    """Makes DuckDB release all memory that it can read again or spill, by a limit of 1 MB for a moment.

    Nothing is read within the moment: a query, also of the limit, needs memory, and would fail with the limit at 1 MB.
    """
    with con.cursor() as cursor:
        before = _limit(cursor)
        try:
            with suppress(duckdb.OutOfMemoryException):
                cursor.execute("SET memory_limit = '1MB'")
        finally:
            cursor.execute(f"SET memory_limit = '{before}'")


def _set(cursor: duckdb.DuckDBPyConnection, limit: str, *, otherwise: str) -> None:
    try:
        cursor.execute(f"SET memory_limit = '{limit}'")
    except duckdb.OutOfMemoryException:
        # The limit is set nevertheless, and the next statements would fail.
        cursor.execute(f"SET memory_limit = '{otherwise}'")


def _limit(con: duckdb.DuckDBPyConnection) -> str:
    """The limit, in words that set it to the same again. DuckDB prints it with one digit, cut off: set as printed, it
    would become smaller each time."""
    (limit,) = con.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    number, unit = str(limit).split()
    return f"{float(number) + 0.05:.2f} {unit}"
