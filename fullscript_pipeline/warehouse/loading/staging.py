"""Temp tables of a load: the context of the pull (`ctx`), and the arriving records, typed (`load_staging`).

Fields that could not be typed or were rounded go to `ops.drift`: by name, never with a value. Only that field is NULL
(or rounded); its text stays in `extra`. What does not belong here: how a text becomes a typed value, and which fields
cannot (`record_typing`), typing them again (`retyping`), stored rows (`versions`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading import record_typing
from fullscript_pipeline.warehouse.loading.load_context import Context

UNTYPED, ROUNDED = "untyped", "rounded"


def set_context(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Puts the values that come from the pull, not from a record, into the one-row table and the variable `ctx`."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE ctx AS SELECT ?::VARCHAR AS server, ?::VARCHAR AS region, "
        "?::VARCHAR AS clinic_id, ?::VARCHAR AS clinic_key, ?::TIMESTAMPTZ AS observed_at, ?::VARCHAR AS pull_id",
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


def begin_load(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Sets the context, and makes the empty temp table `noted_fields` for this load."""
    set_context(con, context)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE noted_fields (object VARCHAR, what VARCHAR, detail VARCHAR, times BIGINT)"
    )


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
    keys = _key_values(table)
    values = dict(zip(table.key_columns, keys, strict=True))
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


def note_untyped(con: duckdb.DuckDBPyConnection, table: Table, source: str) -> None:
    """Notes the fields of the staged records in `source` that are going to be loaded."""
    con.execute(
        f"""INSERT INTO noted_fields SELECT '{table.name}', what, key, count(*) FROM (
            SELECT '{UNTYPED}' AS what, unnest(string_split(untyped, ' ')) AS key
                FROM {source} WHERE untyped <> '' AND reason IS NULL
            UNION ALL SELECT '{ROUNDED}', unnest(string_split(rounded, ' '))
                FROM {source} WHERE rounded <> '' AND reason IS NULL) GROUP BY ALL"""
    )


def record_noted_fields(con: duckdb.DuckDBPyConnection) -> int:
    """Writes the noted fields to `ops.drift`: first time, last time, number of loads. Returns the number of values."""
    (values,) = con.execute("SELECT coalesce(sum(times), 0) FROM noted_fields").fetchone() or (0,)
    if not values:
        return 0
    same = (
        "d.clinic_id IS NOT DISTINCT FROM ctx.clinic_id AND d.region IS NOT DISTINCT FROM ctx.region "
        "AND d.object = n.object AND d.what = n.what AND d.detail = n.detail"
    )
    con.execute(
        "UPDATE ops.drift AS d SET last_seen_at = greatest(d.last_seen_at, ctx.observed_at), "
        f"times = coalesce(d.times, 1) + 1 FROM noted_fields n, ctx WHERE {same}"
    )
    con.execute(
        "INSERT INTO ops.drift BY NAME SELECT DISTINCT ctx.clinic_id, ctx.region, n.object, n.what, n.detail, "
        "ctx.observed_at AS seen_at, ctx.observed_at AS last_seen_at, 1 AS times FROM noted_fields n, ctx "
        f"WHERE NOT EXISTS (SELECT 1 FROM ops.drift d WHERE {same})"
    )
    return int(values)
