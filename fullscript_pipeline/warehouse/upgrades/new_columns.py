"""Fills columns and tables that a newer description adds to an older warehouse.

Members without a column were kept in `extra`, so a new column, or a new table of a record's array, is filled from
there. This adds and changes no version, except overlapping ones (`double_versions`). A column that cannot be computed
from the row (a new reading of a key whose text was not kept) stays NULL until the record changes. What does not belong
here: the statements (`migrations`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Child, Column, Kind, Table
from fullscript_pipeline.warehouse.loading import double_versions, record_typing

_COLUMNS = """SELECT c.schema_name || '.' || c.table_name, c.column_name, c.data_type FROM duckdb_columns() c
    JOIN duckdb_tables() t USING (database_oid, schema_oid, table_oid) WHERE c.database_name = current_database()"""


@dataclass(frozen=True, kw_only=True)
class UpgradePlan:
    """What a file lacks: `columns` (with types) by table, for its existing tables, and missing `tables`."""

    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()


NOTHING = UpgradePlan()


def plan_upgrade(con: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> UpgradePlan:
    """Compares the file with what the statements create in memory. Call it outside a transaction."""
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as scratch:
        for statement in statements:
            scratch.execute(statement)
        described = _columns(scratch)
    there = _columns(con)
    lacking = {
        name: {column: kind for column, kind in columns.items() if column not in there[name]}
        for name, columns in described.items()
        if name in there
    }
    return UpgradePlan(
        columns={name: columns for name, columns in lacking.items() if columns},
        tables=frozenset(described) - set(there),
    )


def add_columns(con: duckdb.DuckDBPyConnection, plan: UpgradePlan) -> None:
    for table, columns in plan.columns.items():
        for name, kind in columns.items():
            con.execute(f'ALTER TABLE {table} ADD COLUMN "{name}" {kind}')


def fill_columns(con: duckdb.DuckDBPyConnection, plan: UpgradePlan) -> None:
    """Fills the added columns and tables, after every table exists."""
    if "record_id" in plan.columns.get("ops.quarantine", {}):
        con.execute(
            "UPDATE ops.quarantine SET record_id = split_part(record_key, '/', -1), "
            "parent_id = nullif(regexp_extract(record_key, '^(.+)/[^/]*$', 1), '')"
        )
    for table in ALL_TABLES:
        added = plan.columns.get(table.stored_in, {})
        if "known_at" in added:
            con.execute(f"UPDATE {table.stored_in} SET known_at = valid_from")
        if columns := [column for column in table.columns if column.name in added and _is_derivable_from_row(column)]:
            _fill_columns(con, table, columns)
        if table.stored_in not in plan.tables:
            for child in table.children:
                if child.table.stored_in in plan.tables:
                    _fill_child(con, table, child)
    if "ops.shared_children" in plan.tables:
        double_versions.repair_all_versions(con)


def _columns(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in con.execute(_COLUMNS).fetchall():
        columns.setdefault(table, {})[column] = kind
    return columns


def _is_derivable_from_row(column: Column) -> bool:
    return not any(word in (column.sql or "") for word in ("ctx.", "parent_id", "position"))


def _fill_columns(con: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column]) -> None:
    """Fills new columns from `extra`. A value that still cannot be typed stays there."""
    known = [
        f"'{column.source[0]}', {column.name}"
        for column in table.columns
        if column.kind is Kind.TEXT and column.sql is None and "." not in column.source[0] and column not in columns
    ]
    record = f"json_merge_patch(json_object({', '.join(known)}), coalesce(extra, '{{}}'))"
    # The row has its key already, and arrays of the record have no column.
    described = replace(table, children=(), by_position=True)
    values = ", ".join(f"{record_typing.typed_value(column)} AS {column.name}" for column in columns)
    taken = ", ".join(f"{column.name} = n.{column.name}" for column in columns)
    untyped = record_typing.untyped_reason(replace(described, columns=tuple(columns)))
    con.execute(
        f"""UPDATE {table.stored_in} AS s SET extra = n.extra, {taken}
        FROM (SELECT place, {values}, {record_typing.unmapped_json(described, keep_untyped=True)} AS extra FROM (
            SELECT *, {record_typing.untyped(described)} AS untyped,
                {record_typing.rounded(described)} AS rounded FROM (
                SELECT place, '' AS id, record::VARCHAR AS record, record AS whole,
                    json_transform(record, '{record_typing.json_structure(table)}') AS r
                FROM (SELECT rowid AS place, {record} AS record FROM {table.stored_in})))
            WHERE ({untyped}) IS NULL) n
        WHERE s.rowid = n.place"""
    )


def _quarantine_lines(con: duckdb.DuckDBPyConnection, table: Table, own_key: str) -> None:
    """Moves the lines that cannot be typed to quarantine."""
    con.execute(
        f"INSERT INTO ops.quarantine BY NAME SELECT scope AS {table.scope_column}, '{table.name}' AS table_name, "
        f"concat_ws('/', parent_id, {own_key}) AS record_key, reason, record, observed_at AS seen_at FROM kept_lines "
        "WHERE reason IS NOT NULL"
    )


def _fill_child(con: duckdb.DuckDBPyConnection, parent: Table, child: Child) -> None:
    """Moves the lines of the latest versions from the array in `extra` into the new child table."""
    table, array = child.table, f"json_extract(p.extra, '$.{child.array}[*]')"
    latest = "p.valid_to IS NULL" if parent.history else "true"
    since = "p.valid_from, p.known_at" if parent.history else "p.observed_at AS valid_from, p.observed_at AS known_at"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE kept_lines AS
        SELECT *, ({record_typing.untyped_reason(table)}) AS reason, {record_typing.untyped(table)} AS untyped,
            {record_typing.rounded(table)} AS rounded FROM (
            SELECT *, record AS whole, json_extract_string(record, '$.id') AS id,
                json_transform(record, '{record_typing.json_structure(table)}') AS r
            FROM (SELECT p.{table.scope_column} AS scope, p.{parent.key[-1]} AS parent_id,
                unnest({array})::VARCHAR AS record, generate_subscripts({array}, 1) - 1 AS position,
                p.observed_at, p.removed_at, {since} FROM {parent.stored_in} p WHERE {latest}))"""
    )
    own_key = "position" if table.by_position else "id"
    values = dict(zip(table.key_columns, ("scope", "parent_id", own_key)[-len(table.key_columns) :], strict=True))
    values |= {
        column.name: record_typing.typed_value(column) for column in table.columns if _is_derivable_from_row(column)
    }
    values |= {"extra": record_typing.unmapped_json(table, keep_untyped=True), "content_hash": "md5(record)"}
    values |= {name: name for name in ("observed_at", "removed_at")}
    values |= {name: name for name in ("valid_from", "known_at") if table.history}
    con.execute(
        f"INSERT INTO {table.stored_in} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM kept_lines "
        "WHERE reason IS NULL"
    )
    _quarantine_lines(con, table, own_key)
    con.execute("DROP TABLE kept_lines")
    left = f"json_merge_patch(p.extra, '{json.dumps({child.array: None})}')"
    con.execute(
        f"UPDATE {parent.stored_in} AS p SET extra = nullif({left}::VARCHAR, '{{}}')::JSON "
        f"WHERE {latest} AND p.extra IS NOT NULL"
    )
