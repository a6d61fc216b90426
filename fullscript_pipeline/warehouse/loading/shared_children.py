"""Children with an id of their own, which several parents may list: each has one stored row, of one parent.

The row stays with its parent as long as that parent lists it, then moves to another parent that lists it (the first by
id), and is removed only when no parent lists it. What the other parents list is stored in `ops.shared_children`. What
does not belong here: lines identified by their position (`children`), duplicate rows of older programs
(`double_versions`).
"""

from typing import NamedTuple

import duckdb

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Child, Kind, Table
from fullscript_pipeline.warehouse.loading import staging, versions

DDL = """CREATE TABLE IF NOT EXISTS ops.shared_children (
    clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, parent_id VARCHAR, child_id VARCHAR, content_hash VARCHAR,
    record VARCHAR, observed_at TIMESTAMPTZ)"""


class ParentLink(NamedTuple):
    """A table of such children, the table of their parents, and the column with the parent's id."""

    table: Table
    parents: Table
    column: str


PARENT_LINKS = {
    child.table.name: ParentLink(child.table, table, child.parent_column)
    for table in ALL_TABLES
    for child in table.children
    if not child.table.by_position
}

# The child that an unreadable line may be: the one with its id, or any of its parent's if it has none of their ids.
_MAYBE = "EXISTS (SELECT 1 FROM unread_ids u WHERE u.parent_id = {parent} AND (u.id = {child} OR NOT u.is_known))"


def stage_empty(con: duckdb.DuckDBPyConnection, child: Child) -> None:
    """Makes empty `incoming_child` and `unread`: removed parents list no children."""
    nothing = "(SELECT ''::VARCHAR AS parent_id, '' AS id, '' AS hash, '' AS record WHERE false)"
    staging.load_staging(con, child.table, nothing, into="incoming_child")
    con.execute("CREATE OR REPLACE TEMP TABLE unread (parent_id VARCHAR, id VARCHAR)")


def assign_parents(con: duckdb.DuckDBPyConnection, child: Child) -> None:
    """Reduces `incoming_child` to one row per child, of the parent that keeps it or takes it over.

    Makes `departed`: the children that a parent of `listing` had and no longer lists.
    """
    link = PARENT_LINKS[child.table.name]
    # Of several lines with one id the last counts, as of several records.
    last = "SELECT max(rowid) FROM incoming_child GROUP BY parent_id, id"
    con.execute(f"DELETE FROM incoming_child WHERE rowid NOT IN ({last})")
    _stage_unread_ids(con, link)
    _stage_departed(con, link)
    con.execute(
        f"""DELETE FROM ops.shared_children o USING ctx
        WHERE {_of(link.table)} AND o.parent_id IN (SELECT parent_id FROM listing) AND (
            EXISTS (SELECT 1 FROM incoming_child n WHERE n.parent_id = o.parent_id AND n.id = o.child_id)
            OR NOT {_MAYBE.format(parent="o.parent_id", child="o.child_id")})"""
    )
    _stage_others(con, link)
    _choose_parents(con, link)


def keep_parents(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Keeps the stored parent of records of `incoming` that were fetched on their own, not in a parent's array."""
    if table.name not in PARENT_LINKS:
        return
    link = PARENT_LINKS[table.name]
    own, stored = f"v_{link.column}", f"s.{link.column}"
    con.execute(
        f"UPDATE incoming AS n SET {own} = coalesce(CASE WHEN {_is_there(link, stored)} THEN {stored} END, {own}, "
        f"{stored}) FROM {table.stored_in} s, ctx WHERE {versions.live(table)} AND {versions.key_match(table)}"
    )


def as_record(table: Table, prefix: str) -> str:
    """SQL that rebuilds the record that a row was read from, out of its text columns and `extra`."""
    texts = {
        column.source[0]: column.name
        for column in table.columns
        if column.sql is None and "." not in column.source[0] and column.kind is not Kind.LIST
    }
    members = ", ".join(f"'{key}', {prefix}{name}" for key, name in texts.items())
    return f"json_merge_patch(json_object({members}), coalesce({prefix}extra, '{{}}'))::VARCHAR"


def _stage_unread_ids(con: duckdb.DuckDBPyConnection, link: ParentLink) -> None:
    """Makes the temp table `unread_ids`: unreadable lines, and whether each has the id of a child of its parent."""
    key = link.table.key[-1]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE unread_ids AS SELECT u.parent_id, u.id, EXISTS (
            SELECT 1 FROM {link.table.stored_in} s, ctx WHERE {versions.live(link.table)} AND s.{key} = u.id
            AND s.{link.column} = u.parent_id) OR EXISTS (SELECT 1 FROM ops.shared_children o, ctx
            WHERE {_of(link.table)} AND o.child_id = u.id AND o.parent_id = u.parent_id) AS is_known FROM unread u"""
    )


def _stage_departed(con: duckdb.DuckDBPyConnection, link: ParentLink) -> None:
    own, parent = f"s.{link.table.key[-1]}", f"s.{link.column}"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE departed AS SELECT {own} AS id FROM {link.table.stored_in} s, ctx
        WHERE {versions.live(link.table)} AND {parent} IN (SELECT parent_id FROM listing)
        AND NOT EXISTS (SELECT 1 FROM incoming_child n WHERE n.parent_id = {parent} AND n.id = {own})
        AND NOT {_MAYBE.format(parent=parent, child=own)}"""
    )


def _stage_others(con: duckdb.DuckDBPyConnection, link: ParentLink) -> None:
    """Adds to `incoming_child` the same children as other parents list them."""
    concerned = "SELECT id FROM departed UNION SELECT id FROM incoming_child"
    source = (
        "(SELECT o.parent_id, o.child_id AS id, o.content_hash AS hash, o.record FROM ops.shared_children o, ctx "
        f"WHERE {_of(link.table)} AND o.child_id IN ({concerned}))"
    )
    staging.load_staging(con, link.table, source, into="others")
    con.execute("INSERT INTO incoming_child SELECT * FROM others WHERE reason IS NULL")


def _choose_parents(con: duckdb.DuckDBPyConnection, link: ParentLink) -> None:
    """Chooses one parent per child of `incoming_child`: the stored one if it still lists the child, else the first."""
    table, own, parent = link.table, f"s.{link.table.key[-1]}", f"s.{link.column}"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE chosen AS
        SELECT n.id, coalesce(any_value(present.parent_id), min(n.parent_id)) AS parent_id
        FROM incoming_child n LEFT JOIN (
            SELECT {own} AS id, {parent} AS parent_id FROM {table.stored_in} s, ctx
            WHERE {versions.live(table)} AND {_is_there(link, parent)} AND {own} NOT IN (SELECT id FROM departed)
        ) present USING (id) GROUP BY n.id"""
    )
    con.execute(
        f"""INSERT INTO ops.shared_children BY NAME
        SELECT ctx.{table.scope_column}, '{table.name}' AS table_name, n.parent_id, n.id AS child_id,
            n.hash AS content_hash, {as_record(table, "n.v_")} AS record, ctx.observed_at
        FROM incoming_child n JOIN chosen c ON c.id = n.id AND c.parent_id <> n.parent_id, ctx
        WHERE NOT EXISTS (SELECT 1 FROM ops.shared_children o
            WHERE {_of(table)} AND o.parent_id = n.parent_id AND o.child_id = n.id)"""
    )
    con.execute("DELETE FROM incoming_child n USING chosen c WHERE c.id = n.id AND c.parent_id <> n.parent_id")
    con.execute(
        f"DELETE FROM ops.shared_children o USING chosen c, ctx "
        f"WHERE {_of(table)} AND o.child_id = c.id AND o.parent_id = c.parent_id"
    )


def _is_there(link: ParentLink, parent: str) -> str:
    """The SQL condition that a parent is stored and not removed."""
    table = link.parents
    latest = "AND p.valid_to IS NULL" if table.history else ""
    return (
        f"EXISTS (SELECT 1 FROM {table.stored_in} p WHERE p.{table.scope_column} = ctx.{table.scope_column} "
        f"AND p.{table.key[-1]} = {parent} {latest} AND p.removed_at IS NULL)"
    )


def _of(table: Table) -> str:
    return f"o.table_name = '{table.name}' AND o.{table.scope_column} = ctx.{table.scope_column}"
