"""The outcomes of events, and when the object of an open event is read next.

An event is open until its object was read after it. A failed read is retried after 1, 5 and 30 minutes of real time,
then by the daily pull; a refresh on demand retries all at once. What does not belong here: which events exist
(`event_ledger`), whether an object was read (`warehouse.event_log.event_proof`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.ids import UNREQUESTABLE
from fullscript_pipeline.state.event_ledger import chunks, events_with_ids, is_open
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import events

# stored, gone: the object was read after the event. relisted: it names no object, and everything that it can be about
# was read. ignored: nothing is stored for its type, or it is about a purged person. unreadable: the server refuses the
# object (403).
Outcome = Literal["stored", "gone", "relisted", "ignored", "unreadable"]
# The wait after each failed try; after the last one, the daily pull tries.
RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


@dataclass(frozen=True, kw_only=True)
class EventBacklog:
    """The unhandled events of a clinic.

    `waiting`: tried events that wait for their object, the first seen at `since`. `reasons`: why events are unreadable,
    with their number.
    """

    waiting: int = 0
    since: datetime | None = None
    unreadable: int = 0
    reasons: Mapping[str, int] | None = None


class EventTries(StorePart):
    """The tries to read what events are about."""

    def begin(self, clinic: ClinicRef, event_ids: Iterable[str], moment: datetime | None) -> None:
        """Records that their objects are read from `moment` (the data's clock) on; earlier reads answer nothing.

        None: a refresh reads them, and closes the events itself when the pages of their patients are rebuilt.
        """
        self._change(clinic, event_ids, {"last_try_at": moment.isoformat() if moment else None})

    def close(self, clinic: ClinicRef, event_ids: Iterable[str], outcome: Outcome, reason: str | None = None) -> None:
        """Closes events with an outcome; `unreadable` ones are reopened by the daily pull or when access changes."""
        done = {"outcome": outcome, "reason": reason, "next_try_at": None}
        if outcome != "unreadable":
            done["processed_at"] = clock.now().isoformat()
        self._change(clinic, event_ids, done)

    def postpone(self, clinic: ClinicRef, event_ids: Iterable[str], reason: str) -> None:
        """Schedules the next try of events whose objects could not be read: by real time, or with the daily pull."""
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
        """Reopens refused events for a daily pull: a 403 may have been a mistake of the server."""
        with self.db.write() as connection:
            reopen_unreadable(connection, clinic)

    def backlog(self, clinic: ClinicRef) -> EventBacklog:
        """The clinic's events that were tried and are not handled."""
        mine = (events.c.server == clinic.server) & (events.c.clinic_id == clinic.clinic_id)
        waiting = select(func.count(), func.min(events.c.seen_at)).where(mine, is_open(), events.c.attempts > 0)
        refused = select(events.c.reason, func.count()).where(mine, events.c.outcome == "unreadable")
        with self.db.read() as connection:
            number, since = connection.execute(waiting).one()
            rows = connection.execute(refused.group_by(events.c.reason)).all()
        reasons = {str(reason or "refused"): int(count) for reason, count in rows}
        first = datetime.fromisoformat(since) if since else None
        return EventBacklog(waiting=int(number), since=first, unreadable=sum(reasons.values()), reasons=reasons)

    def _change(self, clinic: ClinicRef, event_ids: Iterable[str], changed: Mapping[str, str | None]) -> None:
        with self.db.write() as connection:
            for chunk in chunks(list(event_ids)):
                mine = events_with_ids(clinic.server, clinic.clinic_id, chunk)
                connection.execute(update(events).where(mine).values(dict(changed)))


def reopen_unreadable(connection: Connection, clinic: ClinicRef) -> None:
    """Reopens refused events, which may be readable now; events whose object cannot be requested stay closed."""
    refused = (events.c.server == clinic.server) & (events.c.clinic_id == clinic.clinic_id)
    again = dict.fromkeys(("outcome", "reason", "asked_run", "last_try_at", "next_try_at"))
    was_refused = (events.c.outcome == "unreadable") & (func.coalesce(events.c.reason, "") != UNREQUESTABLE)
    reopened = update(events).where(refused, was_refused).values({**again, "attempts": 0})
    connection.execute(reopened)


def _next_try(attempts: int) -> str | None:
    """When the next try is due after `attempts` earlier ones; None: with the daily pull."""
    return (clock.real_now() + RETRY_AFTER[attempts]).isoformat() if attempts < len(RETRY_AFTER) else None
