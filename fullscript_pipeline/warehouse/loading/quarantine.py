"""`ops.quarantine`: records that could not be loaded, with the reason and how they were resolved.

Only the record is moved, and the rest of its page is loaded; its object is not marked removed meanwhile. A record is
resolved when its object is loaded later (`loaded`), arrives in another broken shape (`superseded`), is no longer listed
(`gone`), or is typed by a newer program (`replayed`). What does not belong here: why a record cannot be typed
(`record_typing`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.typed_rows import typed_row


@dataclass(frozen=True, kw_only=True)
class QuarantinedRecord:
    """A record in quarantine. `record` is PHI; `record_key`, its id (under its parent's, where it has one), is not."""

    table: str
    clinic_id: str | None
    region: str | None
    record_key: str
    parent_id: str | None
    record_id: str | None
    reason: str
    seen_at: datetime
    record: str


def open_records(con: duckdb.DuckDBPyConnection) -> list[QuarantinedRecord]:
    """The records that are still in quarantine, the oldest first."""
    rows = con.execute(
        """SELECT table_name, clinic_id, region, record_key, parent_id, record_id, reason, seen_at, record
        FROM ops.quarantine WHERE resolved_at IS NULL ORDER BY seen_at, table_name, record_key"""
    ).fetchall()
    return [typed_row(QuarantinedRecord, row) for row in rows]


def open_by_table(con: duckdb.DuckDBPyConnection, clinic_id: str) -> dict[str, int]:
    """Counts the records of a clinic in quarantine by table."""
    sql = (
        "SELECT table_name, count(*) FROM ops.quarantine WHERE clinic_id = ? AND resolved_at IS NULL GROUP BY ALL "
        "ORDER BY ALL"
    )
    return dict(con.execute(sql, [clinic_id]).fetchall())


def landed_days(con: duckdb.DuckDBPyConnection) -> frozenset[tuple[str, str]]:
    """The clinics (by key) and regions, each with the day of a pull that left a record in quarantine."""
    rows = con.execute(
        "SELECT DISTINCT coalesce(c.clinic_key, p.region), p.day::VARCHAR FROM ops.quarantine q "
        "JOIN ops.pulls p USING (pull_id) LEFT JOIN core.clinics c ON c.clinic_id = p.clinic_id "
        "WHERE q.resolved_at IS NULL"
    ).fetchall()
    return frozenset(rows)


def move_untyped(con: duckdb.DuckDBPyConnection, table: Table, source: str) -> int:
    """Moves the records that cannot be typed from the temp table `source` to `bad`. Returns how many."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE bad AS SELECT parent_id, id, record, reason FROM {source} "
        "WHERE reason IS NOT NULL"
    )
    (bad,) = con.execute("SELECT count(*) FROM bad").fetchone() or (0,)
    if not bad:
        return 0
    same = f"q.parent_id IS NOT DISTINCT FROM bad.parent_id AND q.record_id = bad.id AND {_open(table)}"
    _resolve(con, "superseded", "bad, ctx", f"{same} AND q.record <> bad.record")
    con.execute(
        "INSERT INTO ops.quarantine BY NAME SELECT ctx.pull_id, ctx.clinic_id, ctx.region, ? AS table_name, "
        "concat_ws('/', bad.parent_id, id) AS record_key, bad.parent_id, id AS record_id, reason, record, "
        "ctx.observed_at AS seen_at FROM bad, ctx WHERE NOT EXISTS (SELECT 1 FROM ops.quarantine q WHERE "
        f"{_open(table)} AND q.record = bad.record)",
        [table.name],
    )
    con.execute(f"DELETE FROM {source} WHERE reason IS NOT NULL")
    return int(bad)


def resolve_lines(con: duckdb.DuckDBPyConnection, table: Table, parents: str) -> None:
    """Resolves the lines of records in the temp table `parents` that can be read now."""
    if _any_open(con, table):
        still = "EXISTS (SELECT 1 FROM bad WHERE bad.parent_id = q.parent_id AND bad.record = q.record)"
        _resolve(con, "loaded", f"{parents} p, ctx", f"{_open(table)} AND q.parent_id = p.id AND NOT {still}")


def resolve_records(con: duckdb.DuckDBPyConnection, table: Table, *, everything: bool) -> None:
    """Resolves records of the temp table `newest` that are stored now; with `everything`, also unlisted ones."""
    if not _any_open(con, table):
        return
    own = "q.record_id = n.id" + (" AND q.parent_id = n.parent_id" if len(table.key) > 1 else "")
    latest = "AND s.valid_to IS NULL" if table.history else ""
    scope = f"s.{table.scope_column} IS NOT DISTINCT FROM ctx.{table.scope_column}"
    if table.key_is_scope:
        scope = "true"
    parent = f"s.{table.key[0]} = n.parent_id AND" if len(table.key) > 1 else ""
    stored = (
        f"EXISTS (SELECT 1 FROM {table.stored_in} s WHERE {parent} s.{table.key[-1]}::VARCHAR = n.id "
        f"AND {scope} AND s.content_hash = n.hash {latest})"
    )
    _resolve(con, "loaded", "newest n, ctx", f"{_open(table)} AND {own} AND {stored}")
    if everything:
        came = f"EXISTS (SELECT 1 FROM newest n WHERE {own})"
        _resolve(con, "gone", "ctx", f"{_open(table)} AND NOT {came}")


def by_table(rows: list[QuarantinedRecord]) -> Mapping[tuple[str, str | None, str | None], list[QuarantinedRecord]]:
    """Groups the records by table, clinic and region, as one load needs them."""
    groups: dict[tuple[str, str | None, str | None], list[QuarantinedRecord]] = {}
    for record in rows:
        groups.setdefault((record.table, record.clinic_id, record.region), []).append(record)
    return groups


def _open(table: Table) -> str:
    """The SQL condition of open rows of the table in this scope; all clinics of a region share one catalog."""
    scope = "q.region IS NOT DISTINCT FROM ctx.region"
    if table.scope == "clinic":
        scope += " AND q.clinic_id IS NOT DISTINCT FROM ctx.clinic_id"
    return f"q.table_name = '{table.name}' AND q.resolved_at IS NULL AND {scope}"


def _any_open(con: duckdb.DuckDBPyConnection, table: Table) -> bool:
    row = con.execute(f"SELECT 1 FROM ops.quarantine q, ctx WHERE {_open(table)} LIMIT 1").fetchone()
    return row is not None


def _resolve(con: duckdb.DuckDBPyConnection, resolution: str, tables: str, where: str) -> None:
    con.execute(
        f"UPDATE ops.quarantine AS q SET resolved_at = ctx.observed_at, resolution = '{resolution}' "
        f"FROM {tables} WHERE {where}"
    )
