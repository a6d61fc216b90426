"""Makes and upgrades the warehouse's tables.

Plain DDL only (no ENUM, no function defaults) with a CHECKPOINT straight after: a kill after other DDL has left files
that could not be opened. What does not belong here: data.
"""

from collections.abc import Sequence

import duckdb

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.objects import ALL_TABLES
from fullscript_pipeline.warehouse.tables import Table

VERSION = 2

_OPS = (
    """CREATE TABLE IF NOT EXISTS ops.pulls (
        pull_id VARCHAR, run_id VARCHAR, server VARCHAR, region VARCHAR, clinic_id VARCHAR, day DATE, resource VARCHAR,
        started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, observed_at TIMESTAMPTZ, requests BIGINT, pages BIGINT,
        rows_read BIGINT, rows_added BIGINT, rows_changed BIGINT, rows_removed BIGINT, quarantined BIGINT,
        retries BIGINT, total_count BIGINT, complete BOOLEAN, outcome VARCHAR, reason VARCHAR, listed_by VARCHAR)""",
    """CREATE TABLE IF NOT EXISTS ops.quarantine (
        pull_id VARCHAR, clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, record_key VARCHAR, reason VARCHAR,
        record VARCHAR, seen_at TIMESTAMPTZ, resolved_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.drift (
        clinic_id VARCHAR, region VARCHAR, object VARCHAR, what VARCHAR, detail VARCHAR, seen_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.patient_reads (
        clinic_id VARCHAR, patient_id VARCHAR, plans_read_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS core.clinic_variants (
        clinic_id VARCHAR, variant_id VARCHAR, outcome VARCHAR, checked_at TIMESTAMPTZ)""",
)


def ddl(table: Table) -> list[str]:
    """The statements that make one table and, where it has history, its view of the latest versions."""
    columns = [f"{name} VARCHAR" for name in table.key_columns]
    if table.by_position:
        columns[-1] = f"{table.key[-1]} BIGINT"
    columns += [
        f"{column.name} {column.kind.value}" for column in table.columns if column.name not in table.key_columns
    ]
    columns += ["extra JSON", "content_hash VARCHAR", "observed_at TIMESTAMPTZ", "removed_at TIMESTAMPTZ"]
    if not table.history:
        return [f"CREATE TABLE IF NOT EXISTS {table.stored_in} ({', '.join(columns)})"]
    columns += ["valid_from TIMESTAMPTZ", "valid_to TIMESTAMPTZ"]
    return [
        f"CREATE TABLE IF NOT EXISTS {table.stored_in} ({', '.join(columns)})",
        f"CREATE OR REPLACE VIEW core.{table.name} AS SELECT * EXCLUDE (valid_to) FROM {table.stored_in} "
        "WHERE valid_to IS NULL",
    ]


def migrate(warehouse: Warehouse, marts: Sequence[str]) -> None:
    """Brings the file to this version; `marts` is the DDL of the rooms that own marts (adherence, catalog).

    Raises ConfigurationError when the file was made by a newer version of this program.
    """
    with warehouse.maintain() as con:
        version = _version(con)
        if version == VERSION:
            return
        if version > VERSION:
            raise ConfigurationError(
                f"The warehouse {warehouse.path} is of version {version}, newer than this program's {VERSION}; "
                "update the program."
            )
        con.execute("BEGIN")
        for schema in ("core", "history", "marts", "ops"):
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for statement in (*_OPS, *(one for table in ALL_TABLES for one in ddl(table)), *marts):
            con.execute(statement)
        con.execute("CREATE TABLE IF NOT EXISTS ops.schema_version (version INTEGER)")
        con.execute("DELETE FROM ops.schema_version")
        con.execute("INSERT INTO ops.schema_version VALUES (?)", [VERSION])
        con.execute("COMMIT")
        con.execute("CHECKPOINT warehouse")


def _version(con: duckdb.DuckDBPyConnection) -> int:
    """0 for a new file."""
    tables = con.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = 'warehouse' AND table_name = 'schema_version'"
    ).fetchone()
    row = con.execute("SELECT version FROM ops.schema_version").fetchone() if tables else None
    return int(row[0]) if row else 0
