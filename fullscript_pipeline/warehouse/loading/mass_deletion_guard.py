"""Holds removals if too many rows are missing at once, which is more often a fault than the truth.

If a complete listing lacks more than a fifth of the present rows (and more than five), none of them is marked removed.
They go into `ops.held_removals`; a listing of a later day that lacks them too confirms the removal, row by row. A row
that is listed again is taken off. What does not belong here: marking rows (`merge`), deciding which listing is complete
(`extraction`).
"""

import duckdb

from fullscript_pipeline.resources.types import Table

SHARE = 0.2
ROWS = 5


def hold_too_many(con: duckdb.DuckDBPyConnection, table: Table, there: str) -> int:
    """Removes the rows from the temp table `gone` that may not be marked yet; returns how many.

    `there`: the FROM and WHERE of the stored rows that the listing was expected to contain.
    """
    key = table.record_key("g")
    known = (
        f"EXISTS (SELECT 1 FROM ops.held_removals h, ctx WHERE {_ours(table)} AND h.record_key = {key} "
        "AND h.missing_since::DATE < ctx.observed_at::DATE)"
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE held AS SELECT {key} AS record_key FROM gone g WHERE NOT {known}")
    (held,) = con.execute("SELECT count(*) FROM held").fetchone() or (0,)
    (present,) = con.execute(f"SELECT count(*) {there}").fetchone() or (0,)
    if held <= max(ROWS, SHARE * present):
        held = 0
    else:
        con.execute(f"DELETE FROM gone g USING held WHERE held.record_key = {key}")
        con.execute(
            "INSERT INTO ops.held_removals SELECT ctx.clinic_id, ctx.region, ?, record_key, ctx.observed_at "
            f"FROM held, ctx WHERE NOT EXISTS (SELECT 1 FROM ops.held_removals h WHERE {_ours(table)} "
            "AND h.record_key = held.record_key)",
            [table.name],
        )
    con.execute(f"DELETE FROM ops.held_removals h USING gone g, ctx WHERE {_ours(table)} AND h.record_key = {key}")
    return int(held)


def held_rows(con: duckdb.DuckDBPyConnection, clinic_id: str) -> dict[str, int]:
    """Counts by table the held rows of a clinic: no list contains them any more, and they still count as present."""
    sql = "SELECT table_name, count(*) FROM ops.held_removals WHERE clinic_id = ? GROUP BY ALL ORDER BY ALL"
    return dict(con.execute(sql, [clinic_id]).fetchall())


def forget_returned(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Takes the rows of the temp table `newest` off the held removals: they are listed again."""
    con.execute(
        f"DELETE FROM ops.held_removals h USING newest n, ctx WHERE {_ours(table)} "
        f"AND h.record_key = {table.came_key('n')}"
    )


def _ours(table: Table) -> str:
    own = "h.clinic_id IS NOT DISTINCT FROM getvariable('ctx').clinic_id AND h.region = getvariable('ctx').region"
    return f"h.table_name = '{table.name}' AND {own}"
