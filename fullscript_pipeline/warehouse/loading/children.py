"""Merges the arrays of records into the child tables; only changed lines are written.

Reads the temp table `incoming` (typed records) and makes `incoming_child`. If an array is missing or is not a list, the
stored lines stay. If a line cannot be read, the stored line that it may be stays: the one with its subject (its
variant, its test) or its position, else every stored line that is not matched otherwise. What does not belong here:
records themselves (`merge`), children that more than one parent lists (`shared_children`).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, groupby
from typing import NamedTuple

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources.types import Child, Table, id_sql
from fullscript_pipeline.warehouse import memory
from fullscript_pipeline.warehouse.loading import (
    quarantine,
    shared_children,
    staging,
    versions,
)

# How much text of arrays is unnested at a time, in bytes: DuckDB needs many times that memory.
_TEXT_AT_ONCE = 2**19
_PARENTS_AT_ONCE = 2_000
_PLACES = pa.schema([("parent_id", pa.string()), ("place", pa.int64()), ("stored_at", pa.int64())])


def merge(con: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Merges every array of `incoming`, within the memory that `memory.allow_more` gives for each.

    Returns the number of lines that went to quarantine.
    """
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
    con.execute(f"CREATE OR REPLACE TEMP TABLE listing AS SELECT id AS parent_id FROM incoming WHERE {_lists(child)}")
    staging.load_staging(con, child.table, *_lines(con, child), into="incoming_child")
    staging.note_untyped(con, child.table, "incoming_child")
    stage_unread(con, child)
    bad = quarantine.move_untyped(con, child.table, "incoming_child")
    quarantine.resolve_lines(con, child.table, "incoming")
    if child.table.by_position:
        keep_stored(con, child)
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


class StoredLine(NamedTuple):
    position: int
    subject: str | None


class ArrivedLine(NamedTuple):
    position: int
    subject: str | None
    is_read: bool


def stage_unread(con: duckdb.DuckDBPyConnection, child: Child) -> None:
    """Makes the temp table `unread` of the lines of `incoming_child` that could not be typed."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE unread AS SELECT parent_id, id, {_subject(child.table, 'v_')} AS subject "
        "FROM incoming_child WHERE reason IS NOT NULL"
    )


def keep_stored(con: duckdb.DuckDBPyConnection, child: Child) -> None:
    """Adds the stored lines that unreadable lines may be to `incoming_child`, at their new positions."""
    parents = [parent for (parent,) in con.execute("SELECT DISTINCT parent_id FROM unread ORDER BY 1").fetchall()]
    for first in range(0, len(parents), _PARENTS_AT_ONCE):
        _keep(con, child, parents[first : first + _PARENTS_AT_ONCE])


def match_stored_lines(stored: Iterable[StoredLine], arrived: Sequence[ArrivedLine]) -> dict[int, int]:
    """The stored lines that stay: the new position of each, mapped to its stored position."""
    at = {line.position: line.subject for line in stored}
    known = _same_lines(at, arrived)
    matched = {line.position: known[line.position] for line in arrived if not line.is_read and line.position in known}
    if all(line.is_read or line.position in known for line in arrived):
        return matched
    left = at.keys() - known.values()
    taken = {line.position for line in arrived if line.is_read} | matched.keys()
    staying = left - taken
    taken |= staying
    free = (position for position in count() if position not in taken)
    return (
        matched | {position: position for position in staying} | dict(zip(free, sorted(left - staying), strict=False))
    )


def _same_lines(stored: Mapping[int, str | None], arrived: Sequence[ArrivedLine]) -> dict[int, int]:
    """Maps each arrived line to its stored position: the same one if the subject matches, else the next with it."""
    missing = object()
    same = {line.position: line.position for line in arrived if stored.get(line.position, missing) == line.subject}
    others: dict[str | None, deque[int]] = {}
    for position in sorted(stored.keys() - same.values()):
        others.setdefault(stored[position], deque()).append(position)
    for line in arrived:
        if line.position not in same and line.subject is not None and others.get(line.subject):
            same[line.position] = others[line.subject].popleft()
    return same


def _keep(con: duckdb.DuckDBPyConnection, child: Child, parents: list[str]) -> None:
    table, (parent, position) = child.table, child.table.key
    lines = con.execute(
        f"""SELECT s.{parent} AS parent_id, s.{position} AS position, {_subject(table, "s.")}, 'stored'
            FROM {table.stored_in} s, ctx WHERE {versions.live(table)} AND s.{parent} IN (SELECT unnest($parents))
        UNION ALL SELECT parent_id, id::BIGINT, {_subject(table, "v_")}, 'read'
            FROM incoming_child WHERE parent_id IN (SELECT unnest($parents))
        UNION ALL SELECT parent_id, id::BIGINT, subject, 'unread'
            FROM unread WHERE parent_id IN (SELECT unnest($parents)) ORDER BY ALL""",
        {"parents": parents},
    ).fetchall()
    placements = []
    for parent_id, group in groupby(lines, key=lambda line: line[0]):
        of_parent = list(group)
        stored = [StoredLine(at, subject) for _, at, subject, kind in of_parent if kind == "stored"]
        arrived = [ArrivedLine(at, subject, kind == "read") for _, at, subject, kind in of_parent if kind != "stored"]
        placements += [(parent_id, place, at) for place, at in match_stored_lines(stored, arrived).items()]
    if placements:
        _stage_stored(con, table, placements)


def _stage_stored(con: duckdb.DuckDBPyConnection, table: Table, placements: list[tuple[str, int, int]]) -> None:
    parent, position = table.key
    values = {f"v_{name}": f"s.{name}" for name in versions.columns(table)} | {f"v_{position}": "k.place"}
    values |= {"parent_id": "k.parent_id", "id": "k.place::VARCHAR", "hash": "s.content_hash"}
    con.register("placements", pa.table([pa.array(column) for column in zip(*placements, strict=True)], schema=_PLACES))
    con.execute(
        f"INSERT INTO incoming_child ({', '.join(values)}) SELECT {', '.join(values.values())} FROM placements k, "
        f"{table.stored_in} s, ctx WHERE {versions.live(table)} AND s.{parent} = k.parent_id "
        f"AND s.{position} = k.stored_at"
    )
    con.unregister("placements")


def _subject(table: Table, prefix: str) -> str:
    """The column with the subject of a line: the first that is not its key."""
    return f"{prefix}{table.columns[0].name}" if table.by_position else "NULL::VARCHAR"
