"""The event ledger: known events and whether they were handled.

The ledger may be behind the data, never ahead: an event is marked processed after the warehouse has committed its
object. What does not belong here: reading feeds, deciding what to fetch (`refresh`), data (`core.events` is a copy).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import events

SeenBy = Literal["feed", "webhook", "delivery"]
_AT_ONCE = 500  # SQLite bounds the number of values in one statement
# Columns that a listed event gets later, from its detail or from a webhook.
_LEARNED = ("event_type", "resource_id", "created_at")
# The vendor's feeds reach 30 days back; ids are kept a little longer than they can be listed.
RETENTION = timedelta(days=35)


@dataclass(frozen=True, kw_only=True)
class LedgerEvent:
    """An event of the ledger. `clinic_id`: the clinic whose feed or webhook brought it; `feed`: the endpoint's name.

    `resource_id` is known if a webhook or a delivery brought the payload; then its detail need not be fetched. Its
    outcome and next try: see `event_tries`.
    """

    server: str
    clinic_id: str
    event_id: str
    event_type: str | None = None
    resource_id: str | None = None
    created_at: str | None = None
    seen_by: SeenBy = "feed"
    seen_at: datetime | None = None
    asked_run: str | None = None
    processed_at: datetime | None = None
    feed: str | None = None
    attempts: int = 0
    last_try_at: datetime | None = None
    next_try_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None


class EventLedger(StorePart):
    """The known events, and whether they were handled."""

    def unknown_ids(self, server: str, clinic_id: str, event_ids: Iterable[str]) -> list[str]:
        """Returns those of `event_ids` that are not in the ledger, in their order, each once."""
        distinct_ids = list(dict.fromkeys(event_ids))
        known_ids: set[str] = set()
        with self.db.read() as connection:
            for chunk in chunks(distinct_ids):
                query = select(events.c.event_id).where(events_with_ids(server, clinic_id, chunk))
                known_ids.update(connection.execute(query).scalars())
        return [event_id for event_id in distinct_ids if event_id not in known_ids]

    def record(self, new: Iterable[LedgerEvent]) -> int:
        """Adds events and returns the number added; a known event only gets its missing type and object."""
        moment = clock.now()
        rows = [_event_row(event, moment) for event in new]
        added = 0
        with self.db.write() as connection:
            for row in rows:
                there = connection.execute(
                    insert_into(connection, events).values(row).on_conflict_do_nothing()
                ).rowcount
                added += there
                if not there:
                    known = events_with_ids(row["server"], row["clinic_id"], [row["event_id"]])
                    learned = {name: func.coalesce(events.c[name], row[name]) for name in _LEARNED}
                    connection.execute(update(events).where(known).values(learned))
        return added

    def get(self, server: str, clinic_id: str, event_id: str) -> LedgerEvent | None:
        """One event of the ledger."""
        with self.db.read() as connection:
            row = connection.execute(select(events).where(events_with_ids(server, clinic_id, [event_id]))).first()
        return _event(row) if row else None

    def processed_ids(self, server: str, clinic_id: str, event_ids: Iterable[str]) -> set[str]:
        """Returns those of `event_ids` that are closed."""
        processed: set[str] = set()
        with self.db.read() as connection:
            for chunk in chunks(list(event_ids)):
                mine = events_with_ids(server, clinic_id, chunk) & ~is_open()
                processed.update(connection.execute(select(events.c.event_id).where(mine)).scalars())
        return processed

    def since(self, server: str, clinic_id: str, since: datetime) -> list[LedgerEvent]:
        """The events that were first seen at `since` or later, the oldest first."""
        query = (
            select(events)
            .where(events.c.server == server, events.c.clinic_id == clinic_id, events.c.seen_at >= since.isoformat())
            .order_by(events.c.seen_at, events.c.event_id)
        )
        with self.db.read() as connection:
            return [_event(row) for row in connection.execute(query)]

    def objects(self, clinic: ClinicRef) -> dict[str, str]:
        """The object of every event of the clinic that names one, by event id."""
        query = select(events.c.event_id, events.c.resource_id).where(
            events.c.server == clinic.server,
            events.c.clinic_id == clinic.clinic_id,
            events.c.resource_id.is_not(None),
        )
        with self.db.read() as connection:
            return {row.event_id: row.resource_id for row in connection.execute(query)}

    def forget_old(self) -> int:
        """Deletes closed events that no feed can list any more; returns the number."""
        oldest = (clock.now() - RETENTION).isoformat()
        with self.db.write() as connection:
            gone = connection.execute(delete(events).where(events.c.seen_at < oldest, ~is_open()))
        return int(gone.rowcount)

    def mark_run_requested(self, server: str, clinic_id: str, event_ids: Iterable[str], run: str) -> None:
        """Records that the run (or batch) `run` was requested to handle these events."""
        self._update(server, clinic_id, event_ids, {"asked_run": run})

    def mark_processed(self, server: str, clinic_id: str, event_ids: Iterable[str]) -> None:
        """Marks events whose objects are committed in the warehouse."""
        self._update(server, clinic_id, event_ids, {"processed_at": clock.now().isoformat()})

    def reopen(self, server: str, event_id: str) -> None:
        """Reopens the event for another attempt, whatever its outcome is."""
        again = dict.fromkeys(("asked_run", "processed_at", "outcome", "reason", "last_try_at", "next_try_at"))
        with self.db.write() as connection:
            this = (events.c.server == server) & (events.c.event_id == event_id)
            connection.execute(update(events).where(this).values({**again, "attempts": 0}))

    def pending(self, server: str, clinic_id: str, limit: int | None = None) -> list[LedgerEvent]:
        """The events that are not closed, the oldest first, including those that a run was requested for."""
        query = (
            select(events)
            .where(events.c.server == server, events.c.clinic_id == clinic_id, is_open())
            .order_by(events.c.created_at, events.c.event_id)
            .limit(limit)
        )
        with self.db.read() as connection:
            return [_event(row) for row in connection.execute(query)]

    def _update(self, server: str, clinic_id: str, event_ids: Iterable[str], changed: dict[str, str]) -> None:
        with self.db.write() as connection:
            for chunk in chunks(list(event_ids)):
                connection.execute(update(events).where(events_with_ids(server, clinic_id, chunk)).values(changed))


def is_open() -> ColumnElement[bool]:
    """The SQL condition that an event is not closed."""
    return events.c.processed_at.is_(None) & events.c.outcome.is_(None)


def events_with_ids(server: str, clinic_id: str, event_ids: Sequence[str]) -> ColumnElement[bool]:
    """The SQL condition of these events of a clinic; use `chunks` for long lists of ids."""
    return (events.c.server == server) & (events.c.clinic_id == clinic_id) & events.c.event_id.in_(event_ids)


def chunks(values: list[str]) -> Iterable[list[str]]:
    """Splits values into lists that one statement can hold."""
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


def _event_row(event: LedgerEvent, moment: datetime) -> dict[str, Any]:
    return {
        "server": event.server,
        "clinic_id": event.clinic_id,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "resource_id": event.resource_id,
        "created_at": event.created_at,
        "seen_at": (event.seen_at or moment).isoformat(),
        "seen_by": event.seen_by,
        "asked_run": event.asked_run,
        "processed_at": event.processed_at.isoformat() if event.processed_at else None,
        "feed": event.feed,
        "attempts": event.attempts,
        "outcome": event.outcome,
        "reason": event.reason,
    }


def _event(row: Row[Any]) -> LedgerEvent:
    return LedgerEvent(
        server=row.server,
        clinic_id=row.clinic_id,
        event_id=row.event_id,
        event_type=row.event_type,
        resource_id=row.resource_id,
        created_at=row.created_at,
        seen_by=row.seen_by,
        seen_at=datetime.fromisoformat(row.seen_at),
        asked_run=row.asked_run,
        processed_at=datetime.fromisoformat(row.processed_at) if row.processed_at else None,
        feed=row.feed,
        attempts=row.attempts,
        last_try_at=datetime.fromisoformat(row.last_try_at) if row.last_try_at else None,
        next_try_at=datetime.fromisoformat(row.next_try_at) if row.next_try_at else None,
        outcome=row.outcome,
        reason=row.reason,
    )
