"""Creates and upgrades the tables of the warehouse.

Plain DDL only (no ENUM, no function defaults), settled straight after: a kill after other DDL has left files that could
not be opened. A file is upgraded if the statements here differ from those that it was made from: missing
tables and columns are added (`new_columns`) and nothing is ever dropped, so a new column needs no step of its own.
`VERSION` rises only if an older program must not write the file any more. What does not belong here: moving data
(`new_columns`).
"""

import hashlib
from collections.abc import Sequence

import duckdb

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.duckdb_errors import end_query
from fullscript_pipeline.warehouse.loading import not_found_objects, reader_views, shared_children
from fullscript_pipeline.warehouse.schema import table_ddl
from fullscript_pipeline.warehouse.upgrades import new_columns

VERSION = 3

SCHEMAS = ("core", "history", "marts", "ops")

_OPS = (
    """CREATE TABLE IF NOT EXISTS ops.pulls (
        pull_id VARCHAR, run_id VARCHAR, server VARCHAR, region VARCHAR, clinic_id VARCHAR, day DATE, resource VARCHAR,
        started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, observed_at TIMESTAMPTZ, requests BIGINT, pages BIGINT,
        rows_read BIGINT, rows_added BIGINT, rows_changed BIGINT, rows_removed BIGINT, quarantined BIGINT,
        retries BIGINT, total_count BIGINT, complete BOOLEAN, outcome VARCHAR, reason VARCHAR, listed_by VARCHAR,
        bill_requests BIGINT, patch_version VARCHAR, sweep_only_changes BIGINT, held BIGINT, scopes VARCHAR,
        unproven BIGINT, read_at TIMESTAMPTZ, left_out BIGINT)""",
    """CREATE TABLE IF NOT EXISTS ops.quarantine (
        pull_id VARCHAR, clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, record_key VARCHAR, reason VARCHAR,
        record VARCHAR, seen_at TIMESTAMPTZ, resolved_at TIMESTAMPTZ, resolution VARCHAR,
        parent_id VARCHAR, record_id VARCHAR)""",
    """CREATE TABLE IF NOT EXISTS ops.drift (
        clinic_id VARCHAR, region VARCHAR, object VARCHAR, what VARCHAR, detail VARCHAR, seen_at TIMESTAMPTZ,
        last_seen_at TIMESTAMPTZ, times BIGINT)""",
    """CREATE TABLE IF NOT EXISTS ops.patient_reads (
        clinic_id VARCHAR, patient_id VARCHAR, plans_read_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.detail_reads (
        clinic_id VARCHAR, resource VARCHAR, object_id VARCHAR, list_hash VARCHAR, found BOOLEAN,
        read_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.order_sweeps (clinic_id VARCHAR, swept_through DATE, swept_on DATE)""",
    """CREATE TABLE IF NOT EXISTS core.catalog_coverage (
        region VARCHAR, product_id VARCHAR, door VARCHAR, clinic_id VARCHAR, first_seen_on DATE, last_seen_on DATE)""",
    """CREATE TABLE IF NOT EXISTS core.clinic_variants (
        clinic_id VARCHAR, variant_id VARCHAR, outcome VARCHAR, checked_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.purges (
        purged_at TIMESTAMPTZ, kind VARCHAR, subject VARCHAR, removed JSON)""",
    """CREATE TABLE IF NOT EXISTS ops.held_removals (
        clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, record_key VARCHAR, missing_since TIMESTAMPTZ)""",
    shared_children.DDL,
    *reader_views.DDL,
    not_found_objects.DDL,
    """CREATE TABLE IF NOT EXISTS ops.events (
        clinic_id VARCHAR, event_id VARCHAR, event_type VARCHAR, seen_at TIMESTAMPTZ, attempts BIGINT,
        last_try_at TIMESTAMPTZ, next_try_at TIMESTAMPTZ, outcome VARCHAR, reason VARCHAR)""",
    "CREATE TABLE IF NOT EXISTS ops.schema_version (version INTEGER, made_from VARCHAR)",
)


def statements(marts: Sequence[str]) -> list[str]:
    """All statements that create a warehouse; each may be run again on an existing one."""
    schemas = [f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in SCHEMAS]
    return [*schemas, *_OPS, *(statement for table in ALL_TABLES for statement in table_ddl(table)), *marts]


def migrate(warehouse: Warehouse, marts: Sequence[str]) -> None:
    """Brings the file to this version; `marts` is the DDL of the rooms that own marts (adherence, catalog).

    Raises ConfigurationError when the file was made by a newer version of this program.
    """
    described = statements(marts)
    fingerprint = hashlib.sha256("\n".join(described).encode()).hexdigest()[:16]
    with warehouse.maintain() as con:
        version, stored_fingerprint = _version(con)
        if version > VERSION:
            raise ConfigurationError(
                f"The warehouse {warehouse.place} is of version {version}, newer than this program's {VERSION}; "
                "update the program."
            )
        if (version, stored_fingerprint) == (VERSION, fingerprint):
            return
        upgrade_plan = new_columns.plan_upgrade(con, described) if version else new_columns.NOTHING
        con.execute("BEGIN")
        try:
            new_columns.add_columns(con, upgrade_plan)
            for statement in described:
                con.execute(statement)
            new_columns.fill_columns(con, upgrade_plan)
            con.execute("DELETE FROM ops.schema_version")
            con.execute("INSERT INTO ops.schema_version VALUES (?, ?)", [VERSION, fingerprint])
        except BaseException as error:
            end_query(con, error)
            con.execute("ROLLBACK")
            raise
        con.execute("COMMIT")
        warehouse.settle(con)


def _version(con: duckdb.DuckDBPyConnection) -> tuple[int, str | None]:
    """The version (0 for a new file), and the fingerprint of its statements (unknown before version 3)."""
    tables = con.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = 'warehouse' AND table_name = 'schema_version'"
    ).fetchone()
    row = con.execute("SELECT * FROM ops.schema_version").fetchone() if tables else None
    return (int(row[0]), row[1] if len(row) > 1 else None) if row else (0, None)
