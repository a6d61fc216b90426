"""The request budget, counted in the state store across every process that uses the store.

The vendor refuses more than 5,000 requests of an app in any rolling 300 s. A process borrows a small block of permits
(a lease), which is valid for a few seconds. The block counts against the window from the moment it is lent until 300 s
after the last moment at which one of its permits could have been used. So the count is never below what the server can
have seen, whenever a process dies, and costs one short transaction per block instead of one per request. A block that
is used up, expired or not needed any more is returned with its real usage. The permits of a killed process are returned
by the next process of its machine that is short of permits (`lease_notes` knows how many were used); where the store is
on PostgreSQL they count as used until they expire.

It is fair: while others wait, no process holds more than an equal share of the window. Implements
`api.rate_limit.Budget`. What does not belong here: the meaning of a 429.
"""

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, update

from fullscript_pipeline.api import Priority
from fullscript_pipeline.state.database import Database, greater_of, insert_into
from fullscript_pipeline.state.lease_notes import LeaseUsage, LeaseUsageFile, take_abandoned
from fullscript_pipeline.state.schema import request_holds, request_leases, request_waiters

WINDOW_SECONDS = 300.0
# The permits that the backfill leaves to the present, and the maximum share of a small limit.
RESERVE = 250
_RESERVE_SHARE = 0.25
_BLOCK = 20
# The longest sleep at once: another process may return permits early, or die.
_LONGEST_SLEEP = 10.0
_LOG_EVERY_SECONDS = 10.0
# The longest plausible pause (Retry-After is followed up to 300 s); a later end means that the clock was set back.
_LONGEST_HOLD = 400.0
_SLOTS: dict[Priority, int] = {"present": 0, "backfill": 1}
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class _Lease:
    lease_id: int
    size: int
    left: int
    ends_s: float
    last_used_s: float

    def usage(self) -> LeaseUsage:
        return LeaseUsage(lease_id=self.lease_id, used=self.size - self.left, last_used_s=self.last_used_s)


class RequestBudget:
    """At most `limit` requests in any rolling `window` seconds for one app on one server; thread-safe.

    `window`, `clock` and `sleep` are for tests. Real time, never FULLSCRIPT_NOW: the server's window is real; over
    several machines it is the time of the store.
    """

    def __init__(
        self,
        db: Database,
        server: str,
        app: str,
        limit: int,
        *,
        window: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._db, self._server, self._app, self.limit = db, server, app, limit
        self._window, self._clock, self._sleep = window, clock, sleep
        self._holder = uuid.uuid4().hex
        self._notes = LeaseUsageFile(db.notes_folder, self._holder) if db.notes_folder else None
        self._block = max(1, min(_BLOCK, limit // 50))
        self._validity = max(0.5, window / 60)
        # The server counts a request a little after its permit was used: a new connection, a busy machine.
        self._slack = max(0.2, window / 60)
        self._backfill_limit = limit - min(RESERVE, int(limit * _RESERVE_SHARE))
        self._lock = threading.Lock()
        self._leases: dict[Priority, _Lease] = {}
        self._logged_s = self._looked_s = float("-inf")
        # How far the clock that all processes count by is ahead of this machine's.
        self._ahead_s = 0.0

    def acquire(self, priority: Priority) -> None:
        """Waits until one more request may be sent. A wait is logged at most every 10 s."""
        while True:
            with self._lock:
                wait = 0.0 if self._usable(priority) else self._borrow(priority)
                # Checked again: saving the lease may have taken longer than it is valid.
                if lease := self._usable(priority):
                    lease.left -= 1
                    if self._notes:
                        self._notes.write(_SLOTS[priority], lease.usage())
                    return
                if wait:
                    self._log_wait(priority, wait)
            self._sleep(wait)

    def pause_requests(self, seconds: float) -> None:
        """Blocks all requests to this server for `seconds`: drops the leases here; those of others expire."""
        with self._lock:
            self._leases.clear()
            with self._db.write() as connection:
                until = self._now(self._db.seconds_ahead(connection)) + seconds
                statement = insert_into(connection, request_holds).values(
                    server=self._server, app=self._app, until_s=until
                )
                later = greater_of(connection, request_holds.c.until_s, statement.excluded.until_s)
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["server", "app"], set_={"until_s": later})
                )

    def close(self) -> None:
        """Returns all leases: a step with a few requests must not use a whole block of the window."""
        with self._lock:
            leases, self._leases = list(self._leases.values()), {}
            if leases:
                with self._db.write() as connection:
                    for lease in leases:
                        self._give_back(connection, lease)
            if self._notes:
                self._notes.close()

    def used(self) -> int:
        """The number of requests in the window that are used or lent now, by all processes."""
        with self._db.read() as connection:
            return self._count(connection, self._now(self._db.seconds_ahead(connection)))

    def held_seconds(self) -> float:
        """The remaining seconds of a pause that the server requested; 0: no pause."""
        with self._db.read() as connection:
            return max(0.0, self._held_until(connection) - self._now(self._db.seconds_ahead(connection)))

    def _usable(self, priority: Priority) -> _Lease | None:
        """The current lease, if one of its permits may be used now."""
        lease, now = self._leases.get(priority), self._clock() + self._ahead_s
        if lease is None or not lease.left or now >= lease.ends_s:
            return None
        lease.last_used_s = now
        return lease

    def _borrow(self, priority: Priority) -> float:
        """Takes a new lease and returns 0, or returns the seconds to wait before the next try."""
        with self._db.write() as connection:
            now = self._now(self._db.seconds_ahead(connection))  # under the lock: waiting for it may take a while
            self._give_back(connection, self._leases.pop(priority, None))
            self._tidy(connection, now)
            permits, again_s = self._allowance(connection, priority, now)
            if permits <= 0:
                wait = min(max(again_s - now, 0.02), _LONGEST_SLEEP) + 0.02 * random.random()  # noqa: S311
                self._queue(connection, priority, now + wait)
                return wait
            connection.execute(delete(request_waiters).where(self._waiting(priority, mine=True)))
            lease_id = self._lend(connection, priority, permits, now)
        self._leases[priority] = _Lease(
            lease_id=lease_id, size=permits, left=permits, ends_s=now + self._validity, last_used_s=now
        )
        return 0.0

    def _allowance(self, connection: Connection, priority: Priority, now: float) -> tuple[int, float]:
        """The number of permits that may be lent now; if none, also when to try again."""
        until = self._held_until(connection)
        if now < until <= now + _LONGEST_HOLD:
            return 0, until
        limit = self.limit if priority == "present" else self._backfill_limit
        free = limit - self._count(connection, now)
        if free <= 0 and self._reclaim_from_dead_processes(connection, now):
            free = limit - self._count(connection, now)
        if free <= 0:
            return 0, self._next_end(connection)
        query = select(func.count()).where(self._waiting(priority, mine=False))
        others = connection.execute(query).scalar_one()
        if others:
            own = self._count(connection, now, request_leases.c.holder == self._holder)
            free = min(free, max(1, limit // (others + 1)) - own)
        return min(self._block, free), now + self._validity / 4

    def _now(self, seconds_ahead: float) -> float:
        """The database's time, which is this many seconds ahead of ours."""
        self._ahead_s = seconds_ahead
        return self._clock() + seconds_ahead

    def _held_until(self, connection: Connection) -> float:
        held = select(request_holds.c.until_s).where(self._ours(request_holds))
        return float(connection.execute(held).scalar() or 0.0)

    def _lend(self, connection: Connection, priority: Priority, permits: int, now: float) -> int:
        row = {
            "server": self._server,
            "app": self._app,
            "lane": priority,
            "holder": self._holder,
            "permits": permits,
            "granted_s": now,
            "counted_until_s": now + self._longest,
        }
        new = insert_into(connection, request_leases).values(row).returning(request_leases.c.lease_id)
        return int(connection.execute(new).scalar_one())

    def _give_back(self, connection: Connection, lease: _Lease | None) -> None:
        if lease is not None:
            self._return(connection, lease.usage())

    def _return(self, connection: Connection, usage: LeaseUsage) -> None:
        """Returns a lease with its real usage; absolute figures, as it may have been returned already."""
        used = {"permits": usage.used, "counted_until_s": usage.last_used_s + self._window + self._slack}
        connection.execute(update(request_leases).where(request_leases.c.lease_id == usage.lease_id).values(used))

    def _reclaim_from_dead_processes(self, connection: Connection, now: float) -> int:
        """Returns the leases of dead processes and their number; checks only once in a while."""
        if self._db.notes_folder is None or abs(now - self._looked_s) < self._validity:
            return 0
        self._looked_s = now
        usages = list(take_abandoned(self._db.notes_folder))
        for usage in usages:
            self._return(connection, usage)
        return len(usages)

    def _queue(self, connection: Connection, priority: Priority, asks_again_s: float) -> None:
        """Registers this process as waiting. The entry expires soon, so that dead processes do not delay live ones."""
        row = {"server": self._server, "app": self._app, "lane": priority, "holder": self._holder}
        alive = {"alive_until_s": asks_again_s + min(1.0, self._validity)}
        statement = insert_into(connection, request_waiters).values(**row, **alive)
        connection.execute(statement.on_conflict_do_update(index_elements=list(row), set_=alive))

    def _tidy(self, connection: Connection, now: float) -> None:
        leases, waiters = request_leases, request_waiters
        connection.execute(delete(leases).where(self._ours(leases), leases.c.counted_until_s <= now))
        alive = waiters.c.alive_until_s.between(now, now + 2 * _LONGEST_SLEEP)
        connection.execute(delete(waiters).where(self._ours(waiters), ~alive))
        # After the clock was set back, rows would count for hours: cut them to the longest possible time.
        longest = now + self._longest
        late = update(leases).where(self._ours(leases), leases.c.counted_until_s > longest)
        connection.execute(late.values(counted_until_s=longest))

    def _count(self, connection: Connection, now: float, *only: ColumnElement[bool]) -> int:
        query = select(func.coalesce(func.sum(request_leases.c.permits), 0))
        counted = request_leases.c.counted_until_s > now
        return int(connection.execute(query.where(self._ours(request_leases), counted, *only)).scalar_one())

    def _next_end(self, connection: Connection) -> float:
        """When the next lease leaves the window."""
        query = select(func.min(request_leases.c.counted_until_s)).where(self._ours(request_leases))
        return float(connection.execute(query).scalar() or 0.0)

    @property
    def _longest(self) -> float:
        return self._validity + self._window + self._slack

    def _ours(self, table: Table) -> ColumnElement[bool]:
        return (table.c.server == self._server) & (table.c.app == self._app)

    def _waiting(self, priority: Priority, *, mine: bool) -> ColumnElement[bool]:
        holder = request_waiters.c.holder
        who = holder == self._holder if mine else holder != self._holder
        return self._ours(request_waiters) & (request_waiters.c.lane == priority) & who

    def _log_wait(self, priority: Priority, wait: float) -> None:
        if time.monotonic() - self._logged_s >= _LOG_EVERY_SECONDS:
            self._logged_s = time.monotonic()
            _log.info(
                "waiting for the request budget of %s (%s): all %d of %.0f s are used, more in about %.0f s",
                self._server, priority, self.limit, self._window, max(wait, 1.0),
            )  # fmt: skip
