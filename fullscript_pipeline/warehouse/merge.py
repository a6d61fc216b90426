"""The SQL of a merge: DELETE + INSERT for current tables, close + open of versions for tables with history.

Works on the temp table `incoming`, where every row is known to differ from what is stored: records as they are typed,
once, on their way in (`stage`). What does not belong here: reading landing files, deciding what is complete
(`load.py`).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa

from fullscript_pipeline.warehouse import among, brake, quarantine, reading
from fullscript_pipeline.warehouse.among import Among
from fullscript_pipeline.warehouse.tables import Child, Table

if TYPE_CHECKING:
    from fullscript_pipeline.warehouse.load import Context

VECTOR = 2_048  # rows that DuckDB handles at a time
_ROWS_AT_ONCE = 10_000
# Arrays are taken apart so much of their text at a time: DuckDB needs many times that.
_TEXT_AT_ONCE = 2**19


def set_context(con: duckdb.DuckDBPyConnection, context: "Context") -> None:
    """One row, and a variable of it, for columns that come from the pull and not from the record."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE ctx (server VARCHAR, region VARCHAR, clinic_id VARCHAR, clinic_key VARCHAR, "
        "observed_at TIMESTAMPTZ, pull_id VARCHAR)"
    )
    con.execute(
        "INSERT INTO ctx VALUES (?, ?, ?, ?, ?, ?)",
        [
            context.server,
            context.region,
            context.clinic_id,
            context.clinic_key,
            context.observed_at,
            context.pull_id,
        ],
    )
    con.execute("SET VARIABLE ctx = (SELECT ctx FROM ctx)")


def count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    (rows,) = con.execute(f"SELECT count(*) FROM {relation}").fetchone() or (0,)
    return int(rows)


def compare(con: duckdb.DuckDBPyConnection, table: Table) -> tuple[bytearray, int, int]:
    """What of `newest` is new, changed or returned: 1 at the place of each such record; how many; how many are new."""
    (lines,) = con.execute("SELECT coalesce(max(ordinal) + 1, 0) FROM newest").fetchone() or (0,)
    wanted, differ, new = bytearray(lines), 0, 0
    found = con.execute(
        f"""SELECT n.ordinal, s.content_hash IS NULL FROM newest n LEFT JOIN (
            SELECT s.* FROM {table.stored_in} s, ctx WHERE {_scope(table)}{_latest(table)}) s ON {_key_match(table)}
        WHERE s.content_hash IS DISTINCT FROM n.hash OR s.removed_at IS NOT NULL"""
    ).to_arrow_reader(_ROWS_AT_ONCE)
    for batch in found:
        for place in batch.column(0).to_pylist():
            wanted[place] = 1
        differ, new = differ + batch.num_rows, new + batch.column(1).true_count
    return wanted, differ, new


def remove_missing(con: duckdb.DuckDBPyConnection, table: Table, missing_among: Among) -> tuple[int, int]:
    """Marks what is stored among these rows and is not in `newest`.

    Returns how many were marked, and how many were held: see `brake`.
    """
    keys = ", ".join(f"s.{name}" for name in table.key)
    here = f"FROM {table.stored_in} s, ctx WHERE {_scope(table)}{_latest(table)} AND s.removed_at IS NULL"
    with among.condition(con, missing_among) as is_listed:
        there = f"{here} AND {is_listed}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE gone AS SELECT {keys} {there} AND NOT {_same_key(table, 'newest')}")
        held = brake.hold_too_many(con, table, there) if count(con, "gone") else 0
    if gone := count(con, "gone"):
        _remove(con, table)
    return gone, held


def stage(con: duckdb.DuckDBPyConnection, table: Table, *sources: str, into: str = "incoming") -> None:
    """A temp table of what `sources` (parent_id, id, hash, record) hold, typed: parent_id, id, hash, `v_<column>`,
    `rows_<array>` for the children (JSON; NULL where the record has no such key), `reason` where a column could not be
    typed, and then the `record`."""
    first, *others = (_typed(table, source) for source in sources)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {into} AS {first}")
    for other in others:
        con.execute(f"INSERT INTO {into} {other}")


def _typed(table: Table, source: str) -> str:
    values = dict(zip(table.key_columns, _key_values(table), strict=True))
    values |= {column.name: reading.typed(column) for column in table.columns if column.name not in values}
    values |= {"extra": reading.left_over(table)}
    typed = [f"{value} AS v_{name}" for name, value in values.items()]
    arrays = [f"json_extract(record, '$.{child.array}') AS rows_{child.array}" for child in table.children]
    reason = f"{reading.untyped_reason(table)} AS reason"
    columns = ", ".join(["parent_id", "id", "hash", "whole", *typed, *arrays, reason])
    return (
        "SELECT * EXCLUDE whole, if(reason IS NULL, NULL, whole) AS record "
        # Not joined: a join would gather the batches of `load` into larger ones, which take the memory of all.
        f"FROM (SELECT {columns} FROM (SELECT *, getvariable('ctx') AS ctx FROM ({reading.records(table, source)})))"
    )


class SetAside(NamedTuple):
    """What went to quarantine: records, how many of them the table does not know, and lines of arrays."""

    records: int
    unknown: int
    lines: int


def batch(con: duckdb.DuckDBPyConnection, table: Table) -> SetAside:
    """Merges `incoming` into the table and its children, but for what goes to quarantine."""
    bad = quarantine.set_aside(con, table, "incoming")
    unknown = count(con, _unknown(table, "bad")) if bad else 0
    _merge(con, table, "incoming", close_where=_same_key(table, "incoming"))
    return SetAside(bad, unknown, sum(_merge_child(con, child) for child in table.children))


def _unknown(table: Table, source: str) -> str:
    there = f"SELECT 1 FROM {table.stored_in} s, ctx WHERE {_scope(table)}{_latest(table)} AND {_key_match(table)}"
    return f"{source} n WHERE NOT EXISTS ({there})"


def lines(con: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Merges `incoming_child` into its table; the parents stay as they are. Returns how many went to quarantine."""
    bad = quarantine.set_aside(con, table, "incoming_child")
    _merge(con, table, "incoming_child", close_where=_same_key(table, "incoming_child"))
    return bad


def remove(con: duckdb.DuckDBPyConnection, table: Table, ids: Iterable[str]) -> int:
    """Marks objects as gone that the vendor answered 404 for. Returns how many were still there."""
    con.register("arriving", pa.table({table.key[-1]: pa.array(sorted(ids), pa.string())}))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE gone AS SELECT {table.key[-1]} FROM arriving WHERE {table.key[-1]} IN ("
        f"SELECT s.{table.key[-1]} FROM {table.stored_in} s, ctx WHERE {_scope(table)}{_latest(table)} "
        "AND s.removed_at IS NULL)"
    )
    con.unregister("arriving")
    if gone := count(con, "gone"):
        _remove(con, table)
    return gone


def _remove(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Gone rows are kept, with `removed_at`; where there is history, as a closing version. Children go with them."""
    match = " AND ".join(f"s.{name} = g.{name}" for name in table.key)
    _tombstone(con, table, f"EXISTS (SELECT 1 FROM gone g WHERE {match})")
    for child in table.children:
        _tombstone(con, child.table, f"EXISTS (SELECT 1 FROM gone g WHERE s.{child.parent_column} = g.{table.key[-1]})")


def _tombstone(con: duckdb.DuckDBPyConnection, table: Table, where: str) -> None:
    here = f"{_scope(table)}{_latest(table)} AND s.removed_at IS NULL AND {where}"
    if not table.history:
        con.execute(f"UPDATE {table.stored_in} s SET removed_at = ctx.observed_at FROM ctx WHERE {here}")
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE closing AS SELECT s.* FROM {table.stored_in} s, ctx WHERE {here}")
    # What is gone already stays as it is.
    _close(con, table, f"({where}) AND s.removed_at IS NULL")
    con.execute(
        f"INSERT INTO {table.stored_in} BY NAME SELECT closing.* REPLACE (ctx.observed_at AS removed_at, "
        "ctx.observed_at AS valid_from, NULL AS valid_to, ctx.observed_at AS known_at) FROM closing, ctx"
    )


def _merge(con: duckdb.DuckDBPyConnection, table: Table, source: str, *, close_where: str) -> None:
    if table.history:
        _close(con, table, close_where)
    else:
        con.execute(f"DELETE FROM {table.stored_in} s USING ctx WHERE {_scope(table)} AND {close_where}")
    names = dict.fromkeys([*table.key_columns, *(column.name for column in table.columns), "extra"])
    values = {name: f"v_{name}" for name in names} | {"content_hash": "hash", "observed_at": "ctx.observed_at"}
    if table.history:
        values |= {"valid_from": "ctx.observed_at", "known_at": "ctx.observed_at"}
    con.execute(
        f"INSERT INTO {table.stored_in} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {source}, ctx"
    )


def _key_values(table: Table) -> list[str]:
    scope = [] if table.key_is_scope else [f"ctx.{table.scope_column}"]
    parent = ["parent_id"] if len(table.key) > 1 else []
    return [*scope, *parent, "id::BIGINT" if table.by_position else "id"]


def _merge_child(con: duckdb.DuckDBPyConnection, child: Child) -> int:
    """Rows of an array: only lines that changed get a new version; lines that are gone get a closing one."""
    parents = "incoming"
    if child.absent_says_nothing:
        parents = f"(SELECT * FROM incoming WHERE rows_{child.array} IS NOT NULL)"
    stage(con, child.table, *_lines(con, child), into="incoming_child")
    bad = quarantine.set_aside(con, child.table, "incoming_child")
    quarantine.settle_lines(con, child.table, "incoming")
    below = f"s.{child.parent_column} IN (SELECT id FROM {parents})"
    same = _same_key(child.table, "incoming_child")
    if not child.table.history:
        _merge(con, child.table, "incoming_child", close_where=below)
        return bad
    _tombstone(con, child.table, f"{below} AND NOT {same}")
    con.execute(
        f"DELETE FROM incoming_child n USING {child.table.stored_in} s, ctx WHERE {_scope(child.table)} "
        f"AND s.valid_to IS NULL AND s.removed_at IS NULL AND s.content_hash = n.hash "
        f"AND {_key_match(child.table)} AND s.{child.parent_column} = n.parent_id"
    )
    _merge(con, child.table, "incoming_child", close_where=same)
    return bad


def _lines(con: duckdb.DuckDBPyConnection, child: Child) -> list[str]:
    """The lines of an array of `incoming`, as sources of `stage`: all at once, or of a few parents after the other."""
    length = f"strlen(rows_{child.array}::VARCHAR)"
    # What a transaction has just written is numbered from somewhere high up.
    first, last, average = con.execute(f"SELECT min(rowid), max(rowid), avg({length}) FROM incoming").fetchone() or ()
    if first is None:
        return [_lines_of(child, 0, 0)]
    parents = max(1, int(_TEXT_AT_ONCE / (average or 1)))
    step = last - first + 1 if parents >= VECTOR else parents
    return [_lines_of(child, one, one + step - 1) for one in range(first, last + 1, step)]


def _lines_of(child: Child, first: int, last: int) -> str:
    own_id = "position::VARCHAR" if child.table.by_position else "json_extract_string(one, '$.id')"
    # Some languages write a list as an object of numbered members.
    array, members = (f"json_extract(rows_{child.array}, '{path}')" for path in ("$[*]", "$.*"))
    rows = f"CASE WHEN json_type(rows_{child.array}) = 'OBJECT' THEN {members} ELSE {array} END"
    return (
        f"(SELECT parent_id, {own_id} AS id, md5(one::VARCHAR) AS hash, one::VARCHAR AS record FROM (SELECT "
        f"id AS parent_id, unnest({rows}) AS one, generate_subscripts({rows}, 1) - 1 AS position FROM incoming "
        f"WHERE rowid BETWEEN {first} AND {last}))"
    )


def _close(con: duckdb.DuckDBPyConnection, table: Table, where: str) -> None:
    """Ends the open versions; one that was opened at this very instant was never visible and is dropped."""
    con.execute(
        f"DELETE FROM {table.stored_in} s USING ctx WHERE {_scope(table)} AND s.valid_to IS NULL AND {where} "
        "AND s.valid_from >= ctx.observed_at"
    )
    con.execute(
        f"UPDATE {table.stored_in} s SET valid_to = ctx.observed_at FROM ctx WHERE {_scope(table)} "
        f"AND s.valid_to IS NULL AND {where}"
    )


def _scope(table: Table) -> str:
    if table.key_is_scope:
        return "true"
    return f"s.{table.scope_column} IS NOT DISTINCT FROM ctx.{table.scope_column}"


def _latest(table: Table) -> str:
    return " AND s.valid_to IS NULL" if table.history else ""


def _key_match(table: Table) -> str:
    parent = f"s.{table.key[0]} = n.parent_id AND " if len(table.key) > 1 else ""
    return f"{parent}s.{table.key[-1]}::VARCHAR = n.id"


def _same_key(table: Table, source: str) -> str:
    return f"EXISTS (SELECT 1 FROM {source} n WHERE {_key_match(table)})"
