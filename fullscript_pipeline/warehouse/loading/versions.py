"""SQL over stored rows: selects those in scope, replaces them, closes versions and marks rows as removed.

Rows of a table without history are replaced by DELETE + INSERT; a table with history gets a closed and an open version.
In the SQL, the stored row is `s`, the arriving row is `n`, and the pull's context is the temp table `ctx`. What does
not belong here: what is written (`merge`, `children`), when a change happened (`valid_time`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table


def scope(table: Table) -> str:
    """Rows of the pull's clinic or region.

    By a constant: with one, DuckDB skips the parts of the file that hold other clinics only; for a join it reads them.
    """
    if table.key_is_scope:
        return "true"
    return f"s.{table.scope_column} IS NOT DISTINCT FROM getvariable('ctx').{table.scope_column}"


def latest(table: Table) -> str:
    """The condition of the latest version, with a leading AND; empty for a table without history."""
    return " AND s.valid_to IS NULL" if table.history else ""


def live(table: Table) -> str:
    """Present rows of the scope: the latest version, and not removed."""
    return f"{scope(table)}{latest(table)} AND s.removed_at IS NULL"


def key_match(table: Table) -> str:
    parent = f"s.{table.key[0]} = n.parent_id AND " if len(table.key) > 1 else ""
    return f"{parent}s.{table.key[-1]}::VARCHAR = n.id"


def same_key(table: Table, source: str) -> str:
    return f"EXISTS (SELECT 1 FROM {source} n WHERE {key_match(table)})"


def columns(table: Table) -> list[str]:
    """The key, the columns and `extra`: the columns of a staged row, where each is named `v_<column>`."""
    return list(dict.fromkeys([*table.key_columns, *(column.name for column in table.columns), "extra"]))


def write(con: duckdb.DuckDBPyConnection, table: Table, source: str, *, close_where: str) -> None:
    """Replaces the stored rows that meet `close_where` with the staged rows of `source`."""
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
    """Marks the present rows that meet `where` as removed; in a table with history by a closing version."""
    here = f"{live(table)} AND {where}"
    if not table.history:
        con.execute(f"UPDATE {table.stored_in} s SET removed_at = ctx.observed_at FROM ctx WHERE {here}")
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE closing AS SELECT s.* FROM {table.stored_in} s, ctx WHERE {here}")
    # Rows that are removed already are not changed.
    _close(con, table, f"({where}) AND s.removed_at IS NULL")
    con.execute(
        f"INSERT INTO {table.stored_in} BY NAME SELECT closing.* REPLACE (ctx.observed_at AS removed_at, "
        "ctx.observed_at AS valid_from, NULL AS valid_to, ctx.observed_at AS known_at) FROM closing, ctx"
    )


def _close(con: duckdb.DuckDBPyConnection, table: Table, where: str) -> None:
    """Ends the open versions; a version that was opened at this very instant was never visible and is deleted."""
    con.execute(
        f"DELETE FROM {table.stored_in} s USING ctx WHERE {scope(table)} AND s.valid_to IS NULL AND {where} "
        "AND s.valid_from >= ctx.observed_at"
    )
    con.execute(
        f"UPDATE {table.stored_in} s SET valid_to = ctx.observed_at FROM ctx WHERE {scope(table)} "
        f"AND s.valid_to IS NULL AND {where}"
    )
