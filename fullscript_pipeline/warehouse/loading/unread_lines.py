"""Keeps the stored lines that unreadable lines of an array may be.

A stored line is matched by its subject (its variant, its test) and its position. If neither matches, the unreadable
line may be any stored line that is not matched otherwise, so all of these stay. What does not belong here: why a line
cannot be read (`record_typing`), children with an id of their own (`shared_children`).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, groupby
from typing import NamedTuple

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources.types import Child, Table
from fullscript_pipeline.warehouse.loading import versions

_PARENTS_AT_ONCE = 2_000
_PLACES = pa.schema([("parent_id", pa.string()), ("place", pa.int64()), ("stored_at", pa.int64())])


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
