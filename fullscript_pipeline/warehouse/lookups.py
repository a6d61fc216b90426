"""Small queries over described tables that other rooms need: hashes of stored objects, row counts.

What does not belong here: anything that writes, queries of one table only (they belong to the module that uses them).
"""

from collections.abc import Iterable

import duckdb

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.connection import Warehouse


def stored_hashes(
    con: duckdb.DuckDBPyConnection, table: Table, owner: str, ids: Iterable[str] | None = None
) -> dict[str, str]:
    """The content hash of every present object of a clinic or region, or of those in `ids` only."""
    rows = con.execute(
        f"SELECT {table.key[-1]}, content_hash FROM core.{table.name} WHERE {table.scope_column} = $owner "
        f"AND removed_at IS NULL AND ($ids::VARCHAR[] IS NULL OR {table.key[-1]} IN (SELECT unnest($ids)))",
        {"owner": owner, "ids": None if ids is None else list(ids)},
    ).fetchall()
    return dict(rows)


def patients_of(con: duckdb.DuckDBPyConnection, table: Table, clinic_id: str, ids: Iterable[str]) -> dict[str, str]:
    """The patient of each of these stored objects, removed ones included; objects without a patient are left out."""
    rows = con.execute(
        f"SELECT {table.key[-1]}, patient_id FROM core.{table.name} WHERE clinic_id = ? "
        f"AND {table.key[-1]} IN (SELECT unnest(?::VARCHAR[])) AND patient_id IS NOT NULL ORDER BY ALL",
        [clinic_id, list(ids)],
    ).fetchall()
    return dict(rows)


def row_counts(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, int]:
    """Counts the rows of each of the tables (`schema.name`)."""
    counts = {name: con.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables}
    return {name: int(row[0]) for name, row in counts.items() if row}


def owned_row_counts(
    con: duckdb.DuckDBPyConnection, tables: Iterable[str], *, column: str, value: str
) -> dict[str, int]:
    """Counts the rows with this value in `column`, of each of the tables that have it."""
    having = con.execute(
        "SELECT DISTINCT schema_name || '.' || table_name FROM duckdb_columns() WHERE column_name = ?", [column]
    ).fetchall()
    known = {name for (name,) in having}
    counts = {
        name: con.execute(f"SELECT count(*) FROM {name} WHERE {column} = ?", [value]).fetchone()
        for name in tables
        if name in known
    }
    return {name: int(row[0]) for name, row in counts.items() if row}


def content_digest(
    con: duckdb.DuckDBPyConnection, tables: Iterable[Table], *, clinic: str, region: str
) -> list[tuple[str, int, int | None]]:
    """Of each table the number of rows of the clinic or its region, and the sum of their hashes."""
    sums = []
    for table in tables:
        stamps = "valid_from, valid_to, known_at, removed_at" if table.history else "observed_at, removed_at"
        sums.append(
            f"SELECT '{table.name}', count(*), sum(hash({', '.join(table.key_columns)}, content_hash, {stamps})) "
            f"FROM {table.stored_in} WHERE {table.scope_column} = ${table.scope}"
        )
    return con.execute(" UNION ALL ".join(sums), {"clinic": clinic, "region": region}).fetchall()


def rows_in(file: Warehouse) -> int:
    """Counts the rows of all tables of a copy together."""
    with file.read_unlocked() as con:
        tables = con.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
        return sum(row_counts(con, (table for (table,) in tables)).values())
