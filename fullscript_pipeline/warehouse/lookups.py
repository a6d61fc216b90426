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


def rows_in(file: Warehouse) -> int:
    """Counts the rows of all tables of a copy together."""
    with file.read_unlocked() as con:
        tables = con.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
        return sum(row_counts(con, (table for (table,) in tables)).values())
