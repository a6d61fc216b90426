"""Sets how much memory DuckDB may use. DuckDB fills its limit before it spills, so the limit is what a load needs.

The need of a load is computed from the records that arrive. In addition, DuckDB keeps a list of the deleted rows of
every block that it reads or writes (those of a DELETE until the transaction ends) and cannot spill it; that part is
computed from the stored rows.
What does not belong here: loading (`load`), opening the file (`connection`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from fullscript_pipeline.duckdb_memory import release_memory, set_memory_limit
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.landing import Size

VECTOR = 2_048  # rows that DuckDB handles at a time
# MB: the limit between loads, the part of it that lists of deleted rows must leave free, the base of any load, and the
# maximum for a load's records.
USUAL_MB = 200
LEFT_MB = 100
LOAD_MB = 80
MOST_MB = 1_500
LONG_LIST = 300_000
# Bytes of the list of deleted rows of one block of VECTOR rows, rounded up.
_DELETED_LIST = 17_500
_ALLOWED = "mb_allowed"
# Of a lake: what parts of files take while they are sent to a bucket (three of them of 50 MB).
_UPLOADS, _UPLOADS_MB = "mb_for_uploads", 170


def needed_megabytes(table: Table, size: Size) -> int:
    """Estimates the MB that a load needs.

    It counts a few blocks for every column, keys and hashes of a long list, and a few copies of the rows that are
    processed at a time and of the largest record. Measured with products of 1 to 100 kB and lists of up to 700,000
    rows.
    """
    columns = sum(len(described.columns) for described in (table, *(child.table for child in table.children)))
    rows = size.length // max(1, size.lines) * min(size.lines, VECTOR)
    of_arriving = columns + max(0, size.lines - LONG_LIST) // 5_000 + (4 * rows + 6 * size.largest) // 10**6
    return min(LOAD_MB + of_arriving, MOST_MB)


def set_usual_limit(con: duckdb.DuckDBPyConnection) -> int:
    """Sets the limit that holds between loads, for the attached file; returns it in MB."""
    megabytes = max(USUAL_MB, LEFT_MB + _megabytes_for_deleted(con))
    _limit(con, megabytes)
    return megabytes


def keep_for_uploads(con: duckdb.DuckDBPyConnection) -> None:
    """Of a lake: adds to every limit what uploads need. It keeps deleted rows in files, and no lists of them."""
    con.execute(f"SET VARIABLE {_UPLOADS} = {_UPLOADS_MB}")
    con.execute("SET s3_uploader_max_filesize = '50GB'")
    _limit(con, USUAL_MB)


@contextmanager
def memory_limit_for_load(con: duckdb.DuckDBPyConnection, table: Table, size: Size) -> Iterator[None]:
    """Within the block, DuckDB may use what a load of the table needs in addition to what the transaction holds.

    A load that fits into the usual limit beside what is in use leaves it as it is, and releases nothing: to release
    costs 20 ms, and what was cached is read and decrypted again.
    """
    needed = needed_megabytes(table, size) + _megabytes_for_deleted(con, table)
    held = _used_megabytes(con)
    if must_release := needed + held > USUAL_MB:
        release_memory(con)
        held = _used_megabytes(con)
    _allow(con, needed + held)
    try:
        yield
    finally:
        # After an error the transaction accepts no statement; the original error must be raised, not this one.
        with suppress(duckdb.TransactionException):
            if must_release or _allowed(con) > USUAL_MB:
                set_usual_limit(con)


def allow_more(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Raises the limit within a load by what another written table needs."""
    if more := _megabytes_for_deleted(con, table):
        _allow(con, _allowed(con) + more)


def _allow(con: duckdb.DuckDBPyConnection, megabytes: int) -> None:
    con.execute(f"SET VARIABLE {_ALLOWED} = {megabytes}")
    if megabytes > USUAL_MB:
        _limit(con, megabytes)


def _allowed(con: duckdb.DuckDBPyConnection) -> int:
    (megabytes,) = con.execute(f"SELECT coalesce(getvariable('{_ALLOWED}'), {USUAL_MB})").fetchone() or (0,)
    return int(megabytes)


def _limit(con: duckdb.DuckDBPyConnection, megabytes: int) -> None:
    set_memory_limit(con, f"{megabytes + _for_uploads(con)}MB")


def _for_uploads(con: duckdb.DuckDBPyConnection) -> int:
    """0 for a file."""
    (megabytes,) = con.execute(f"SELECT coalesce(getvariable('{_UPLOADS}'), 0)").fetchone() or (0,)
    return int(megabytes)


def _used_megabytes(con: duckdb.DuckDBPyConnection) -> int:
    (used,) = con.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone() or (0,)
    return int(used) // 10**6


def _megabytes_for_deleted(con: duckdb.DuckDBPyConnection, table: Table | None = None) -> int:
    """The maximum MB of the lists of deleted rows of a table, or of all. Tables with history only grow."""
    if (table and table.history) or _for_uploads(con):
        return 0
    return _rows(con, table) // VECTOR * _DELETED_LIST // 10**6


def _rows(con: duckdb.DuckDBPyConnection, table: Table | None) -> int:
    """The estimated number of rows of a table, or of all tables without history."""
    (rows,) = con.execute(
        "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() WHERE database_name = current_database() "
        "AND if($table IS NULL, schema_name = 'core', schema_name || '.' || table_name = $table)",
        {"table": table.stored_in if table else None},
    ).fetchone() or (0,)
    return int(rows)
