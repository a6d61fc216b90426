"""`ops.drift`: the differences between the vendor's answers and their description, each once per clinic.

It stores keys, types and words, never a value that may be about a patient. What does not belong here: finding the
differences (`api`), what a table does with a new key (it is kept in `extra`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from fullscript_pipeline.typed_rows import typed_row
from fullscript_pipeline.warehouse.loading.load_context import Context


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A way in which answers differ from their description.


    `what`: wrapper (then `object` is an endpoint), new_key, missing_key, unknown_word or type; untyped or rounded (then
    `object` is a table, see `staging`).
    """

    clinic_id: str | None
    region: str | None
    object: str
    what: str
    detail: str
    seen_at: datetime
    last_seen_at: datetime
    times: int


def record(con: duckdb.DuckDBPyConnection, context: Context, differences: Iterable[tuple[str, str, str]]) -> None:
    """Stores (object, what, detail) with the first time, the last time and the number of pulls."""
    for difference in sorted(set(differences)):
        known = con.execute(
            "UPDATE ops.drift SET last_seen_at = greatest(last_seen_at, ?), times = coalesce(times, 1) + 1 "
            "WHERE clinic_id IS NOT DISTINCT FROM ? AND region IS NOT DISTINCT FROM ? "
            "AND object = ? AND what = ? AND detail = ?",
            [context.observed_at, context.clinic_id, context.region, *difference],
        ).fetchone()
        if known == (0,):
            con.execute(
                "INSERT INTO ops.drift (clinic_id, region, object, what, detail, seen_at, last_seen_at, times) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
                [context.clinic_id, context.region, *difference, context.observed_at, context.observed_at],
            )


def listed(con: duckdb.DuckDBPyConnection) -> list[Drift]:
    """Every stored difference, the newest first."""
    rows = con.execute(
        """SELECT clinic_id, region, object, what, detail, seen_at, coalesce(last_seen_at, seen_at), coalesce(times, 1)
        FROM ops.drift ORDER BY seen_at DESC, object, what, detail, clinic_id"""
    ).fetchall()
    return [typed_row(Drift, row) for row in rows]


def new_since(con: duckdb.DuckDBPyConnection, within: timedelta) -> list[Drift]:
    """The differences that first occurred within this long before the last observation."""
    drifts = listed(con)
    newest = max((drift.last_seen_at for drift in drifts), default=None)
    row = con.execute("SELECT max(observed_at) FROM ops.pulls").fetchone()
    last = row[0] if row and row[0] else newest
    return [drift for drift in drifts if last is not None and drift.seen_at > last - within]


def summary(drifts: Iterable[Drift]) -> str:
    """A phrase per difference, such as `new key order.colour`; those of several clinics appear once."""
    phrases = {f"{drift.what.replace('_', ' ')} {drift.object}.{drift.detail}": None for drift in drifts}
    return ", ".join(phrases)
