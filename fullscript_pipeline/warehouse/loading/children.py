"""Merges the arrays of records into the child tables; only changed lines are written.

Reads the temp table `incoming` (typed records) and makes `incoming_child`. If an array is missing or is not a list, the
stored lines stay; if a line cannot be read, the stored line that it may be stays (`unread_lines`). What does not belong
here: records themselves (`merge`), children that more than one parent lists (`shared_children`).
"""

import duckdb

from fullscript_pipeline.resources.types import Child, Table, id_sql
from fullscript_pipeline.warehouse import memory
from fullscript_pipeline.warehouse.loading import (
    field_notes,
    quarantine,
    shared_children,
    staging,
    unread_lines,
    versions,
)

# How much text of arrays is unnested at a time, in bytes: DuckDB needs many times that memory.
_TEXT_AT_ONCE = 2**19


def merge(con: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Merges every array of `incoming`. Returns the number of lines that went to quarantine."""
    return sum(_merge_child(con, child) for child in table.children)


def remove_children(con: duckdb.DuckDBPyConnection, child: Child, parents: str) -> None:
    """Marks the children of removed parents as removed, except those that another parent also lists.

    `parents`: a query for the parents' ids.
    """
    if child.table.by_position:
        versions.tombstone(con, child.table, f"s.{child.parent_column} IN ({parents})")
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE listing (parent_id) AS {parents}")
    shared_children.stage_empty(con, child)
    shared_children.assign_parents(con, child)
    _replace(con, child)


def _merge_child(con: duckdb.DuckDBPyConnection, child: Child) -> int:
    memory.allow_more(con, child.table)
    con.execute(f"CREATE OR REPLACE TEMP TABLE listing AS SELECT id AS parent_id FROM incoming WHERE {_lists(child)}")
    staging.load_staging(con, child.table, *_lines(con, child), into="incoming_child")
    field_notes.record_untyped(con, child.table, "incoming_child")
    unread_lines.stage_unread(con, child)
    bad = quarantine.move_untyped(con, child.table, "incoming_child")
    quarantine.resolve_lines(con, child.table, "incoming")
    if child.table.by_position:
        unread_lines.keep_stored(con, child)
    else:
        shared_children.assign_parents(con, child)
    _replace(con, child)
    return bad


def _replace(con: duckdb.DuckDBPyConnection, child: Child) -> None:
    """Replaces the lines of the parents in `listing` with `incoming_child`; unchanged lines stay as they are."""
    table = child.table
    below, same = _below(child), versions.same_key(table, "incoming_child")
    if table.history:
        versions.tombstone(con, table, f"{below} AND NOT {same}")
    _leave_unchanged(con, child)
    replaced = same if table.history else f"{below} AND NOT {versions.same_key(table, 'unchanged')}"
    versions.write(con, table, "incoming_child", close_where=replaced)


def _leave_unchanged(con: duckdb.DuckDBPyConnection, child: Child) -> None:
    """Removes the lines from `incoming_child` that are stored unchanged, and puts their keys into `unchanged`."""
    table = child.table
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE unchanged AS SELECT n.parent_id, n.id FROM incoming_child n, "
        f"{table.stored_in} s, ctx WHERE {versions.live(table)} AND s.content_hash = n.hash "
        f"AND {versions.key_match(table)} AND s.{child.parent_column} = n.parent_id"
    )
    con.execute("DELETE FROM incoming_child n USING unchanged u WHERE u.parent_id = n.parent_id AND u.id = n.id")


def _below(child: Child) -> str:
    """The SQL condition of the stored rows that `incoming_child` replaces."""
    if not child.table.by_position:
        return f"s.{child.table.key[-1]} IN (SELECT id FROM departed)"
    return f"s.{child.parent_column} IN (SELECT parent_id FROM listing)"


def _lists(child: Child) -> str:
    """The SQL condition that a record's array states its lines.

    An empty object does not: languages that encode a list as an object of numbered members encode an empty one as `[]`.
    """
    array = f"rows_{child.array}"
    return f"({array} IS NOT NULL AND {array}::VARCHAR NOT IN ('null', '{{}}'))"


def _lines(con: duckdb.DuckDBPyConnection, child: Child) -> list[str]:
    """Returns the lines of an array of `incoming` as sources of `load_staging`, a few parents at a time."""
    length = f"strlen(rows_{child.array}::VARCHAR)"
    # Row ids of rows that the transaction has just written start at a high number.
    first, last, average = con.execute(f"SELECT min(rowid), max(rowid), avg({length}) FROM incoming").fetchone() or ()
    if first is None:
        return [_lines_of(child, 0, 0)]
    parents = max(1, int(_TEXT_AT_ONCE / (average or 1)))
    step = last - first + 1 if parents >= memory.VECTOR else parents
    return [_lines_of(child, start, start + step - 1) for start in range(first, last + 1, step)]


def _lines_of(child: Child, first: int, last: int) -> str:
    array = f"rows_{child.array}"
    own_id = (
        "position::VARCHAR" if child.table.by_position else id_sql.without_fraction("json_extract_string(line, '$.id')")
    )
    # A value that is not a list becomes one line that cannot be read: its text, which is not an object.
    rows = (
        f"CASE json_type({array}) WHEN 'ARRAY' THEN json_extract({array}, '$[*]') WHEN 'NULL' THEN [] "
        f"WHEN 'OBJECT' THEN {_members(array)} ELSE if({array} IS NULL, [], [{array}]) END"
    )
    return (
        f"(SELECT parent_id, {own_id} AS id, md5(line::VARCHAR) AS hash, line::VARCHAR AS record FROM (SELECT "
        f"id AS parent_id, unnest({rows}) AS line, generate_subscripts({rows}, 1) - 1 AS position FROM incoming "
        f"WHERE rowid BETWEEN {first} AND {last}))"
    )


def _members(array: str) -> str:
    """The lines of an object of numbered members, in the order of the numbers (landed text has them as strings)."""
    keys = f"json_keys({array})"
    numbers = f"list_sort(list_transform({keys}, lambda key: {{'number': key::UHUGEINT, 'key': key}}))"
    members = f"list_transform({numbers}, lambda member: json_extract({array}, '$.\"' || member.key || '\"'))"
    is_list = f"regexp_full_match(array_to_string({keys}, ''), '[0-9]*')"
    return f"CASE WHEN {is_list} THEN {members} ELSE [to_json({array}::VARCHAR)] END"
