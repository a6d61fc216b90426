"""SQL over stored rows: which are in scope, how they are replaced, closed and marked as removed.

A current table is replaced by DELETE + INSERT; a table with history gets a closed and an open version. The stored row
is `s`, what arrives is `n`, whose pull it is stands in the temp table `ctx`. What does not belong here: what is written
(`merge`, `children`), when a change happened (`valid_time`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table


def scope(table: Table) -> str:
    """Rows of the pull's clinic or region."""
    if table.key_is_scope:
        return "true"
    return f"s.{table.scope_column} IS NOT DISTINCT FROM ctx.{table.scope_column}"


def latest(table: Table) -> str:
    """With an AND before it; nothing for a table that keeps no versions."""
    return " AND s.valid_to IS NULL" if table.history else ""


def live(table: Table) -> str:
    """Rows of the scope that are there now: the latest version, and not removed."""
    return f"{scope(table)}{latest(table)} AND s.removed_at IS NULL"


def key_match(table: Table) -> str:
    parent = f"s.{table.key[0]} = n.parent_id AND " if len(table.key) > 1 else ""
    return f"{parent}s.{table.key[-1]}::VARCHAR = n.id"


def same_key(table: Table, source: str) -> str:
    return f"EXISTS (SELECT 1 FROM {source} n WHERE {key_match(table)})"


def columns(table: Table) -> list[str]:
    """The key, the columns and `extra`: what a staged row holds, each as `v_<column>`."""
    return list(dict.fromkeys([*table.key_columns, *(column.name for column in table.columns), "extra"]))


def write(con: duckdb.DuckDBPyConnection, table: Table, source: str, *, close_where: str) -> None:
    """Puts the staged rows of `source` in the place of the stored ones that meet `close_where`."""
    if table.history:
        _close(con, table, close_where)
    else:
        con.execute(f"DELETE FROM {table.stored_in} s USING ctx WHERE {scope(table)} AND {close_where}")
    values = {name: f"v_{name}" for name in columns(table)}
    values |= {"content_hash": "hash", "observed_at": "ctx.observed_at"}
    if table.history:
        values |= {"valid_from": "ctx.observed_at", "known_at": "ctx.observed_at"}
    con.execute(
        f"INSERT INTO {table.stored_in} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {source}, ctx"
    )


def tombstone(con: duckdb.DuckDBPyConnection, table: Table, where: str) -> None:
    """Marks the live rows that meet `where` as removed; where there is history, by a closing version."""
    here = f"{live(table)} AND {where}"
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


def _close(con: duckdb.DuckDBPyConnection, table: Table, where: str) -> None:
    """Ends the open versions; one that was opened at this very instant was never visible and is dropped."""
    con.execute(
        f"DELETE FROM {table.stored_in} s USING ctx WHERE {scope(table)} AND s.valid_to IS NULL AND {where} "
        "AND s.valid_from >= ctx.observed_at"
    )
    con.execute(
        f"UPDATE {table.stored_in} s SET valid_to = ctx.observed_at FROM ctx WHERE {scope(table)} "
        f"AND s.valid_to IS NULL AND {where}"
    )
