"""Records in `ops.drift` which fields could not be typed or were rounded: by name, never with a value.

Only that field is NULL (or rounded); its text stays in `extra`. What does not belong here: deciding which fields these
are (`record_typing`), typing them again (`retyping`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table

UNTYPED, ROUNDED = "untyped", "rounded"


def begin(con: duckdb.DuckDBPyConnection) -> None:
    """Makes the empty temp table `noted_fields` for this load."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE noted_fields (object VARCHAR, what VARCHAR, detail VARCHAR, times BIGINT)"
    )


def record_untyped(con: duckdb.DuckDBPyConnection, table: Table, source: str) -> None:
    """Adds the fields of the records in `source` (`staging.load_staging`) that are going to be loaded."""
    con.execute(
        f"""INSERT INTO noted_fields SELECT '{table.name}', what, key, count(*) FROM (
            SELECT '{UNTYPED}' AS what, unnest(string_split(untyped, ' ')) AS key
                FROM {source} WHERE untyped <> '' AND reason IS NULL
            UNION ALL SELECT '{ROUNDED}', unnest(string_split(rounded, ' '))
                FROM {source} WHERE rounded <> '' AND reason IS NULL) GROUP BY ALL"""
    )


def record(con: duckdb.DuckDBPyConnection) -> int:
    """Writes them to `ops.drift` with first time, last time and number of loads. Returns the number of values."""
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
