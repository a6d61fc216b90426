"""What became of an event, and when its object is to be read next.

An event waits until its object was read after it. What could not be read is tried again after 1, 5 and 30 minutes of
real time, then by the daily pull; somebody who asks for a refresh tries all at once. What does not belong here: which
events there are (`event_ledger`), and whether an object was read (the warehouse knows, `warehouse.event_proof`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.ids import UNREQUESTABLE
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.event_ledger import chunks, events_with_ids, is_open
from fullscript_pipeline.state.schema import events

# stored, gone: the object was read after the event. relisted: it names no object, and everything that it can be about
# was. ignored: nothing of it is kept, because of its type, or because it is about somebody who was purged. unreadable:
# the server refuses the object (403).
Outcome = Literal["stored", "gone", "relisted", "ignored", "unreadable"]
# After so many tries without the object, the time to the next; then it is the daily pull's turn.
RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


@dataclass(frozen=True)
class EventBacklog:
    """What of a clinic's events is not handled. `waiting` were tried and wait for their object, the first seen at
    `since`; `reasons` says why events count as unreadable, and how many."""

    waiting: int = 0
    since: datetime | None = None
    unreadable: int = 0
    reasons: Mapping[str, int] | None = None


class EventTries:
    """Part of StateStore."""

    db: Database

    def begin_try(self, clinic: ClinicRef, event_ids: Iterable[str], moment: datetime | None) -> None:
        """Their objects are read from `moment` (the data's clock) on; what was read before says nothing of them. None:
        by a refresh, which closes them itself when their patients' pages are there."""
        self._change(clinic, event_ids, {"last_try_at": moment.isoformat() if moment else None})

    def close_events(
        self, clinic: ClinicRef, event_ids: Iterable[str], outcome: Outcome, reason: str | None = None
    ) -> None:
        """Nobody needs to look at these again; for `unreadable`: until the daily pull, or until access changes."""
        done = {"outcome": outcome, "reason": reason, "next_try_at": None}
        if outcome != "unreadable":
            done["processed_at"] = clock.now().isoformat()
        self._change(clinic, event_ids, done)

    def postpone_events(self, clinic: ClinicRef, event_ids: Iterable[str], reason: str) -> None:
        """Their objects could not be read: the next try, by real time, or the daily pull's."""
        ids, moment = list(event_ids), clock.now().isoformat()
        with self.db.write() as connection:
            for chunk in chunks(ids):
                mine = events_with_ids(clinic.server, clinic.clinic_id, chunk)
                query = select(events.c.event_id, events.c.attempts).where(mine)
                for event_id, attempts in connection.execute(query).all():
                    changed = {"attempts": attempts + 1, "next_try_at": _next_try(attempts), "reason": reason}
                    changed["last_try_at"] = moment
                    this = events_with_ids(clinic.server, clinic.clinic_id, [event_id])
                    connection.execute(update(events).where(this).values({**changed, "asked_run": None}))

    def reopen_refused(self, clinic: ClinicRef) -> None:
        """A daily pull asks once more for what was refused: one 403 may have been a mistake of the server's."""
        with self.db.write() as connection:
            reopen_unreadable(connection, clinic)

    def event_backlog(self, clinic: ClinicRef) -> EventBacklog:
        """What of this clinic's events was tried and is not handled."""
        mine = (events.c.server == clinic.server) & (events.c.clinic_id == clinic.clinic_id)
        waiting = select(func.count(), func.min(events.c.seen_at)).where(mine, is_open(), events.c.attempts > 0)
        refused = select(events.c.reason, func.count()).where(mine, events.c.outcome == "unreadable")
        with self.db.read() as connection:
            number, since = connection.execute(waiting).one()
            rows = connection.execute(refused.group_by(events.c.reason)).all()
        reasons = {str(reason or "refused"): int(count) for reason, count in rows}
        first = datetime.fromisoformat(since) if since else None
        return EventBacklog(int(number), first, sum(reasons.values()), reasons)

    def _change(self, clinic: ClinicRef, event_ids: Iterable[str], changed: Mapping[str, str | None]) -> None:
        with self.db.write() as connection:
            for chunk in chunks(list(event_ids)):
                mine = events_with_ids(clinic.server, clinic.clinic_id, chunk)
                connection.execute(update(events).where(mine).values(dict(changed)))


def reopen_unreadable(connection: Connection, clinic: ClinicRef) -> None:
    """What was refused may be readable now. What no address can name stays closed."""
    refused = (events.c.server == clinic.server) & (events.c.clinic_id == clinic.clinic_id)
    again = dict.fromkeys(("outcome", "reason", "asked_run", "last_try_at", "next_try_at"))
    was_refused = (events.c.outcome == "unreadable") & (func.coalesce(events.c.reason, "") != UNREQUESTABLE)
    reopened = update(events).where(refused, was_refused).values({**again, "attempts": 0})
    connection.execute(reopened)


def _next_try(attempts: int) -> str | None:
    """When the next try is due after `attempts` before this one; None: with the daily pull."""
    return (clock.real_now() + RETRY_AFTER[attempts]).isoformat() if attempts < len(RETRY_AFTER) else None
