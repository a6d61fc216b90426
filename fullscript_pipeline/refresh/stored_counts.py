"""Counts what the warehouse holds, for the cost of a refresh. What does not belong here: the arithmetic
(`cost_plan`)."""

from datetime import date

import duckdb

from fullscript_pipeline.refresh.cost_plan import StoredCounts
from fullscript_pipeline.refresh.object_fetch import OVERLAP
from fullscript_pipeline.warehouse.loading import pull_log


def count_stored(con: duckdb.DuckDBPyConnection, clinic_id: str, incomplete_lists: frozenset[str]) -> StoredCounts:
    """Returns the numbers of stored patients and orders that costs depend on."""

    def scalar(sql: str, *values: object) -> int:
        row = con.execute(sql, [clinic_id, *values]).fetchone()
        return int(row[0]) if row else 0

    days: list[tuple[date, int]] = con.execute(
        "SELECT completed_on, count(*) FROM core.orders WHERE clinic_id = ? AND removed_at IS NULL "
        "AND completed_on IS NOT NULL GROUP BY completed_on",
        [clinic_id],
    ).fetchall()
    patients = scalar("SELECT count(*) FROM core.patients WHERE clinic_id = ? AND removed_at IS NULL")
    listed_at = pull_log.last_complete(con, clinic_id, "orders")
    return StoredCounts(
        patients=patients,
        orders_since=lambda first: sum(n for day, n in days if day >= first - OVERLAP),
        incomplete_lists=incomplete_lists,
        orders_listed_on=listed_at.date() if listed_at else None,
    )
