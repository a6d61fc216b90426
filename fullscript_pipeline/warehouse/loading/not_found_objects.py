"""Objects of a region that no list contains: they count as gone if every clinic got 404 twice, an hour apart.

`ops.denials` stores when an object was first not found; an object that is read again is deleted from it. What does not
belong here: requesting objects (`extraction.pulls`), objects of a clinic, for which a list is the second witness
(`extraction.engine.absence`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import duckdb

from fullscript_pipeline.resources.types import Table

APART = timedelta(hours=1)
DDL = """CREATE TABLE IF NOT EXISTS ops.denials (
    region VARCHAR, table_name VARCHAR, object_id VARCHAR, first_denied_at TIMESTAMPTZ)"""


def not_found_twice(
    con: duckdb.DuckDBPyConnection, region: str, table: Table, denied: Collection[str], moment: datetime
) -> list[str]:
    """The objects not found at `moment` that were also not found an hour or more before, and not read since."""
    rows = con.execute(
        "SELECT object_id FROM ops.denials WHERE region = ? AND table_name = ? AND first_denied_at <= ? "
        "AND object_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL",
        [region, table.name, moment - APART, list(denied)],
    ).fetchall()
    return [object_id for (object_id,) in rows]


def record_not_found(
    con: duckdb.DuckDBPyConnection, region: str, table: Table, denied: Sequence[str], requested: Collection[str]
) -> None:
    """Stores when each of `denied` was first not found; deletes the others of `requested`: not every clinic got 404."""
    con.execute(
        "DELETE FROM ops.denials WHERE region = ? AND table_name = ? AND object_id IN (SELECT unnest(?::VARCHAR[])) "
        "AND NOT list_contains(?::VARCHAR[], object_id)",
        [region, table.name, list(requested), list(denied)],
    )
    con.execute(
        "INSERT INTO ops.denials SELECT ?, ?, d.id, ctx.observed_at "
        "FROM (SELECT DISTINCT unnest(?::VARCHAR[]) AS id) d, ctx WHERE NOT EXISTS ("
        "SELECT 1 FROM ops.denials o WHERE o.region = ? AND o.table_name = ? AND o.object_id = d.id)",
        [region, table.name, list(denied), region, table.name],
    )
