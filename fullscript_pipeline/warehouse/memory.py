"""How much memory DuckDB may take: it would fill whatever it may before it spills, so it gets what it needs.

What arrives tells what a load needs. Besides, DuckDB keeps a list of the deleted rows of every block that it reads or
writes (those of a DELETE until the transaction ends) and cannot spill it, so that part is told from what is stored.
What does not belong here: loading (`load`), opening the file (`connection`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from fullscript_pipeline.duckdb_memory import set_memory_limit
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.landing import Size

VECTOR = 2_048  # rows that DuckDB handles at a time
# MB: between loads, and what has to be left of it beside lists of deleted rows; for any load; at the most for what
# arrives.
USUAL_MB = 200
LEFT_MB = 100
LOAD_MB = 80
MOST_MB = 1_500
LONG_LIST = 300_000
# Bytes of the list of deleted rows of one block of VECTOR rows, rounded up.
_DELETED_LIST = 17_500
_ALLOWED = "mb_allowed"


def needed_megabytes(table: Table, size: Size) -> int:
    """MB: a block or a few for every column, keys and hashes of a long list, a few copies of the rows that are handled
    at a time and of the largest record. Measured with products of 1 to 100 kB and lists of up to 700,000 rows."""
    columns = sum(len(described.columns) for described in (table, *(child.table for child in table.children)))
    rows = size.length // max(1, size.lines) * min(size.lines, VECTOR)
    of_arriving = columns + max(0, size.lines - LONG_LIST) // 5_000 + (4 * rows + 6 * size.largest) // 10**6
    return min(LOAD_MB + of_arriving, MOST_MB)


def set_usual_limit(con: duckdb.DuckDBPyConnection) -> None:
    """Sets the limit for the attached file outside of loads."""
    _limit(con, max(USUAL_MB, LEFT_MB + _megabytes_for_deleted(con)))


@contextmanager
def memory_limit_for_load(con: duckdb.DuckDBPyConnection, table: Table, size: Size) -> Iterator[None]:
    """In this block DuckDB may take what a load of the table needs, beside what the transaction holds already."""
    _allow(con, needed_megabytes(table, size) + _held_megabytes(con) + _megabytes_for_deleted(con, table))
    try:
        yield
    finally:
        # After an error the transaction takes no more statements; what is raised has to be that error, not this.
        with suppress(duckdb.TransactionException):
            set_usual_limit(con)


def allow_more(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """In a load: what another table that is written needs."""
    _allow(con, _allowed(con) + _megabytes_for_deleted(con, table))


def _allow(con: duckdb.DuckDBPyConnection, megabytes: int) -> None:
    con.execute(f"SET VARIABLE {_ALLOWED} = {megabytes}")
    _limit(con, megabytes)


def _allowed(con: duckdb.DuckDBPyConnection) -> int:
    (megabytes,) = con.execute(f"SELECT coalesce(getvariable('{_ALLOWED}'), {USUAL_MB})").fetchone() or (0,)
    return int(megabytes)


def _limit(con: duckdb.DuckDBPyConnection, megabytes: int) -> None:
    set_memory_limit(con, f"{megabytes}MB")


def _release_memory(con: duckdb.DuckDBPyConnection) -> None:
    """Makes DuckDB give back whatever it can read again or spill."""
    with suppress(duckdb.OutOfMemoryException), con.cursor() as cursor:
        cursor.execute("SET memory_limit = '1MB'")
        cursor.execute(f"SET memory_limit = '{USUAL_MB}MB'")


def _held_megabytes(con: duckdb.DuckDBPyConnection) -> int:
    """MB that earlier statements of the transaction hold until its end."""
    _release_memory(con)
    (held,) = con.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone() or (0,)
    return int(held) // 10**6


def _megabytes_for_deleted(con: duckdb.DuckDBPyConnection, table: Table | None = None) -> int:
    """MB of the lists of deleted rows of a table, or of all, at the most. Tables with history are only added to."""
    return 0 if table and table.history else _rows(con, table) // VECTOR * _DELETED_LIST // 10**6


def _rows(con: duckdb.DuckDBPyConnection, table: Table | None) -> int:
    """About how many rows a table has, or all that have no history."""
    (rows,) = con.execute(
        "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() WHERE database_name = current_database() "
        "AND if($table IS NULL, schema_name = 'core', schema_name || '.' || table_name = $table)",
        {"table": table.stored_in if table else None},
    ).fetchone() or (0,)
    return int(rows)
