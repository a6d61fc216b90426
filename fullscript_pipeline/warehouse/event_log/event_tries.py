"""`ops.events`: the outcome of each event and when its object is read next; a copy of the event ledger for analysts.

What does not belong here: what answers an event (`event_proof`), the ledger itself (`state`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb
import pyarrow as pa

_INSTANT = pa.timestamp("us", tz="UTC")
_TYPES = {"attempts": pa.int64(), "seen_at": _INSTANT, "last_try_at": _INSTANT, "next_try_at": _INSTANT}


class EventTry(NamedTuple):
    """A row of `ops.events`. `outcome` is None while the event waits; `next_try_at` is None for the daily pull."""

    event_id: str
    event_type: str | None
    seen_at: datetime | None
    attempts: int
    last_try_at: datetime | None
    next_try_at: datetime | None
    outcome: str | None
    reason: str | None


class StoredOutcome(NamedTuple):
    """What the warehouse knows about an event: its outcome, when it was opened last, and its object."""

    event_id: str
    outcome: str | None
    last_try_at: datetime | None
    object_id: str | None
    is_in_quarantine: bool


def stored_outcomes(
    con: duckdb.DuckDBPyConnection, clinic_id: str, event_ids: Sequence[str]
) -> dict[str, StoredOutcome]:
    """Returns the outcomes of these events of a clinic; events that are not stored are left out."""
    rows = con.execute(
        """SELECT e.event_id, e.outcome, e.last_try_at, e.resource_id, EXISTS (SELECT 1 FROM ops.quarantine q
            WHERE q.clinic_id = ? AND q.record_id = e.resource_id AND q.resolved_at IS NULL)
        FROM core.events e WHERE (e.clinic_id = ? OR e.clinic_id IS NULL)
            AND e.event_id IN (SELECT unnest(?::VARCHAR[]))""",
        [clinic_id, clinic_id, list(event_ids)],
    ).fetchall()
    return {row[0]: StoredOutcome(*row) for row in rows}


def write_event_tries(con: duckdb.DuckDBPyConnection, clinic_id: str, tries: Sequence[EventTry]) -> None:
    """Writes these rows and replaces those of the same events."""
    ids = [event_try.event_id for event_try in tries]
    con.execute(
        "DELETE FROM ops.events WHERE clinic_id = ? AND event_id IN (SELECT unnest(?::VARCHAR[]))", [clinic_id, ids]
    )
    columns = dict(zip(EventTry._fields, zip(*tries, strict=True), strict=True))
    con.register(
        "tries", pa.table({name: pa.array(column, _TYPES.get(name, pa.string())) for name, column in columns.items()})
    )
    con.execute("INSERT INTO ops.events BY NAME SELECT ?::VARCHAR AS clinic_id, * FROM tries", [clinic_id])
    con.unregister("tries")
