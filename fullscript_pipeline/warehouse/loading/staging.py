"""Temp tables of a load: the context of the pull (`ctx`), and the arriving records, typed (`load_staging`).

What does not belong here: how a text becomes a typed value (`record_typing`), stored rows (`versions`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading import record_typing
from fullscript_pipeline.warehouse.loading.load_context import Context


def set_context(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Makes the table `ctx` with one row, and a variable of it, for columns that come from the pull."""
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


def load_staging(con: duckdb.DuckDBPyConnection, table: Table, *sources: str, into: str = "incoming") -> None:
    """Makes a temp table with the typed records of `sources` (parent_id, id, hash, record).

    Its columns: parent_id, id, hash; `v_<column>` per column; `rows_<array>` for the children (JSON; NULL if the record
    has no such key); the `untyped` and `rounded` keys; `reason` and `record` for a record that cannot be loaded.
    """
    first, *more_queries = (_typed(table, source) for source in sources)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {into} AS {first}")
    for query in more_queries:
        con.execute(f"INSERT INTO {into} {query}")


def _typed(table: Table, source: str) -> str:
    """Selects in three nested steps, since DuckDB evaluates an expression again for each use: the values, which of them
    are NULL or rounded, and the members that no column holds."""
    values = dict(zip(table.key_columns, _key_values(table), strict=True))
    values |= {column.name: record_typing.typed_value(column) for column in table.columns if column.name not in values}
    typed = [f"{value} AS v_{name}" for name, value in values.items()]
    typed += [f"json_extract(record, '$.{child.array}') AS rows_{child.array}" for child in table.children]
    checks = [f"{record_typing.untyped(table, 'v_')} AS untyped", f"{record_typing.rounded(table)} AS rounded"]
    checks += [f"{record_typing.untyped_reason(table, 'v_')} AS reason"]
    return (
        "SELECT * EXCLUDE (whole, record, r), "
        f"{record_typing.unmapped_json(table, keep_untyped=True)} AS v_extra, "
        "if(reason IS NULL, NULL, whole) AS record "
        f"FROM (SELECT *, {', '.join(checks)} FROM (SELECT parent_id, id, hash, whole, record, r, {', '.join(typed)} "
        # Not joined: a join would combine the batches of `load` into larger ones, which need more memory.
        f"FROM (SELECT *, getvariable('ctx') AS ctx FROM ({record_typing.parsed_records(table, source)}))))"
    )


def _key_values(table: Table) -> list[str]:
    scope = [] if table.key_is_scope else [f"ctx.{table.scope_column}"]
    parent = ["parent_id"] if len(table.key) > 1 else []
    return [*scope, *parent, "id::BIGINT" if table.by_position else "id"]
