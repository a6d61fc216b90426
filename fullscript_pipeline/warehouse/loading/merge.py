"""Merges records: finds those that differ, writes them, and marks rows that are gone.

Works on the temp tables `newest` (keys and hashes of all records that arrived) and `incoming` (the records that differ
from the stored ones). What does not belong here: reading landing files, deciding what is complete (`load.py`), the
arrays of a record (`children.py`), the statements that change stored rows (`versions.py`).
"""

from collections.abc import Iterable
from typing import NamedTuple

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading import (
    children,
    mass_deletion_guard,
    quarantine,
    reader_views,
    removal_scope,
    staging,
    versions,
)
from fullscript_pipeline.warehouse.loading.reader_views import Visibility
from fullscript_pipeline.warehouse.loading.removal_scope import Among

_ROWS_AT_ONCE = 10_000


class HashDiff(NamedTuple):
    """The arrived records that are new, changed or returned.

    `selected` has a 1 at the place of each; `records` is their number, `new` the number of those that were never
    stored.
    """

    selected: bytearray
    records: int
    new: int


def diff_hashes(con: duckdb.DuckDBPyConnection, table: Table) -> HashDiff:
    """Compares the hashes of `newest` with those of the stored rows."""
    (lines,) = con.execute("SELECT coalesce(max(ordinal) + 1, 0) FROM newest").fetchone() or (0,)
    selected, records, new = bytearray(lines), 0, 0
    here = f"{versions.scope(table)}{versions.latest(table)}"
    batches = con.execute(
        f"""SELECT n.ordinal, s.content_hash IS NULL FROM newest n LEFT JOIN (
            SELECT s.* FROM {table.stored_in} s, ctx WHERE {here}) s ON {versions.key_match(table)}
        WHERE s.content_hash IS DISTINCT FROM n.hash OR s.removed_at IS NOT NULL"""
    ).to_arrow_reader(_ROWS_AT_ONCE)
    for batch in batches:
        for place in batch.column(0).to_pylist():
            selected[place] = 1
        records, new = records + batch.num_rows, new + batch.column(1).true_count
    return HashDiff(selected, records, new)


class MissingRows(NamedTuple):
    """Counts the stored rows that a complete list lacks: marked removed, held (`mass_deletion_guard`), or left
    (`reader_views`)."""

    removed: int = 0
    held: int = 0
    unproven: int = 0


def remove_missing(
    con: duckdb.DuckDBPyConnection, table: Table, missing_among: Among, visibility: Visibility
) -> MissingRows:
    """Marks the rows of the scope that are not in `newest` and were visible to the reader."""
    keys = ", ".join(f"s.{name}" for name in table.key)
    missing = f"NOT {versions.same_key(table, 'newest')}"
    with removal_scope.condition(con, missing_among) as is_listed:
        expected = f"FROM {table.stored_in} s, ctx WHERE {versions.live(table)} AND {is_listed}"
        there = f"{expected} AND {visibility.absence_sql(table)}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE gone AS SELECT {keys} {there} AND {missing}")
        unproven = reader_views.record_missing(
            con, table, visibility, f"{expected} AND NOT {visibility.absence_sql(table)} AND {missing}"
        )
        held = mass_deletion_guard.hold_too_many(con, table, there) if staging.count(con, "gone") else 0
    if gone := staging.count(con, "gone"):
        _remove(con, table)
    return MissingRows(gone, held, unproven)


class Quarantined(NamedTuple):
    """The number of records that went to quarantine, and of those among them that are not stored."""

    records: int
    unknown: int


def merge_staging(con: duckdb.DuckDBPyConnection, table: Table) -> Quarantined:
    """Merges `incoming` into the table, without what goes to quarantine; `children` merges the arrays."""
    bad = quarantine.move_untyped(con, table, "incoming")
    unknown = staging.count(con, _unknown(table, "bad")) if bad else 0
    versions.write(con, table, "incoming", close_where=versions.same_key(table, "incoming"))
    return Quarantined(bad, unknown)


def _unknown(table: Table, source: str) -> str:
    here = f"{versions.scope(table)}{versions.latest(table)} AND {versions.key_match(table)}"
    there = f"SELECT 1 FROM {table.stored_in} s, ctx WHERE {here}"
    return f"{source} n WHERE NOT EXISTS ({there})"


def merge_staged_lines(con: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Merges `incoming_child` into its table; the parents are not touched. Returns how many went to quarantine."""
    bad = quarantine.move_untyped(con, table, "incoming_child")
    versions.write(con, table, "incoming_child", close_where=versions.same_key(table, "incoming_child"))
    return bad


def remove_denied(con: duckdb.DuckDBPyConnection, table: Table, keys: Iterable[str], visibility: Visibility) -> int:
    """Marks objects as removed that the server answered 404 for, by their complete keys (`Table.record_key`); returns
    how many were still present.

    A clinic's object that this view never saw is not marked.
    """
    return _remove_where(
        con, table, keys, visibility.absence_sql(table, by_id=True) if table.scope == "clinic" else "true"
    )


def remove_keys(con: duckdb.DuckDBPyConnection, table: Table, keys: Iterable[str]) -> None:
    """Marks present rows as removed by their complete keys (`Table.record_key`)."""
    _remove_where(con, table, keys, "true")


def _remove_where(con: duckdb.DuckDBPyConnection, table: Table, keys: Iterable[str], condition: str) -> int:
    con.register("arriving", pa.table({"record_key": pa.array(sorted(keys), pa.string())}))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE gone AS SELECT {', '.join(f's.{name}' for name in table.key)} "
        f"FROM {table.stored_in} s, ctx WHERE {versions.live(table)} "
        f"AND {table.record_key('s')} IN (SELECT record_key FROM arriving) AND {condition}"
    )
    con.unregister("arriving")
    if gone := staging.count(con, "gone"):
        _remove(con, table)
    return gone


def _remove(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Sets `removed_at` on the rows in `gone`; in tables with history by a closing version.

    Their children are marked too, except those that another parent also lists.
    """
    match = " AND ".join(f"s.{name} = g.{name}" for name in table.key)
    versions.tombstone(con, table, f"EXISTS (SELECT 1 FROM gone g WHERE {match})")
    for child in table.children:
        children.remove_children(con, child, f"SELECT {table.key[-1]} FROM gone")
