"""The request budget, counted in the state store across every process of this machine.

The vendor refuses more than 5,000 requests of an app in any rolling 300 s. A process borrows a small block of permits
that is valid for a few seconds; the block counts against the window from the moment it is lent until 300 s after the
last moment a permit of it could have been used. So the count is never below what the server can have seen, whichever
process dies when, and costs one short transaction per block instead of one per request. A block that is used up, or
out of date, is given back with what was really used.

Implements `api.budget.Budget`. What does not belong here: what a 429 means.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from fullscript_pipeline.api import Lane
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.schema import request_holds, request_leases

WINDOW_SECONDS = 300.0
# What the backfill leaves to the present, and the share of a small limit that it may be at most.
RESERVE = 250
_RESERVE_SHARE = 0.25
_BLOCK = 20
_LOG_EVERY_SECONDS = 10.0
_log = logging.getLogger(__name__)


@dataclass
class _Lease:
    lease_id: int
    size: int
    left: int
    ends_s: float
    last_used_s: float


class RequestBudget:
    """At most `limit` requests in any rolling `window` seconds for one app on one server; thread-safe.

    `window`, `clock` and `sleep` are for tests. Real time, never FULLSCRIPT_NOW: the server's window is real.
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
        self._block = max(1, min(_BLOCK, limit // 50))
        self._validity = window / 60
        # A request is sent a moment before the server counts it.
        self._slack = max(0.2, window / 300)
        self._backfill_limit = limit - min(RESERVE, int(limit * _RESERVE_SHARE))
        self._lock = threading.Lock()
        self._leases: dict[Lane, _Lease] = {}
        self._logged_s = 0.0

    def acquire(self, lane: Lane) -> None:
        """Return once one more request may be sent. A wait is logged at most every 10 s."""
        while True:
            with self._lock:
                lease = self._leases.get(lane)
                if lease is None or not lease.left or self._clock() >= lease.ends_s:
                    lease, wait = self._borrow(lane)
                if lease is not None:
                    lease.left -= 1
                    lease.last_used_s = self._clock()
                    return
                self._tell(lane, wait)
            # Jitter, so that several waiting processes take turns.
            self._sleep(min(wait, _LOG_EVERY_SECONDS) * (0.75 + 0.5 * random.random()))  # noqa: S311

    def hold(self, seconds: float) -> None:
        """Nobody sends to this server for `seconds`; permits in hand here are dropped, others run out by themselves."""
        until = self._clock() + seconds
        statement = insert(request_holds).values(server=self._server, app=self._app, until_s=until)
        later = func.max(request_holds.c.until_s, statement.excluded.until_s)
        with self._lock:
            self._leases.clear()
            with self._db.write() as connection:
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["server", "app"], set_={"until_s": later})
                )

    def used(self) -> int:
        """How many requests of the window are spoken for now, by all processes."""
        with self._db.read() as connection:
            return self._count(connection, self._clock())

    def _borrow(self, lane: Lane) -> tuple[_Lease | None, float]:
        """A new lease for `lane`, or None and the seconds after which asking again makes sense."""
        now = self._clock()
        with self._db.write() as connection:
            self._give_back(connection, self._leases.pop(lane, None))
            self._tidy(connection, now)
            held = self._held_until(connection)
            if held > now:
                return None, held - now
            allowed = self.limit if lane == "present" else self._backfill_limit
            permits = min(self._block, allowed - self._count(connection, now))
            if permits <= 0:
                return None, self._next_end(connection) - now
            row = {
                "server": self._server,
                "app": self._app,
                "lane": lane,
                "permits": permits,
                "granted_s": now,
                "counted_until_s": now + self._longest,
            }
            lease_id = connection.execute(insert(request_leases).values(row)).lastrowid
        lease = _Lease(lease_id, permits, permits, now + self._validity, now)
        self._leases[lane] = lease
        return lease, 0.0

    @property
    def _longest(self) -> float:
        return self._validity + self._window + self._slack

    def _give_back(self, connection: Connection, lease: _Lease | None) -> None:
        if lease is None:
            return
        used = {
            "permits": lease.size - lease.left,
            "counted_until_s": lease.last_used_s + self._window + self._slack,
        }
        connection.execute(update(request_leases).where(request_leases.c.lease_id == lease.lease_id).values(used))

    def _tidy(self, connection: Connection, now: float) -> None:
        connection.execute(delete(request_leases).where(self._mine(), request_leases.c.counted_until_s <= now))
        # A clock that was set back would leave rows that count for hours: none can be longer than this.
        longest = now + self._longest
        connection.execute(
            update(request_leases)
            .where(self._mine(), request_leases.c.counted_until_s > longest)
            .values(counted_until_s=longest)
        )

    def _count(self, connection: Connection, now: float) -> int:
        query = select(func.coalesce(func.sum(request_leases.c.permits), 0))
        return int(connection.execute(query.where(self._mine(), request_leases.c.counted_until_s > now)).scalar_one())

    def _next_end(self, connection: Connection) -> float:
        """When the first lease leaves the window; soon, in case somebody gives back earlier."""
        query = select(func.min(request_leases.c.counted_until_s)).where(self._mine())
        return float(connection.execute(query).scalar() or 0.0)

    def _held_until(self, connection: Connection) -> float:
        mine = (request_holds.c.server == self._server) & (request_holds.c.app == self._app)
        return float(connection.execute(select(request_holds.c.until_s).where(mine)).scalar() or 0.0)

    def _mine(self) -> ColumnElement[bool]:
        return (request_leases.c.server == self._server) & (request_leases.c.app == self._app)

    def _tell(self, lane: Lane, wait: float) -> None:
        if time.monotonic() - self._logged_s >= _LOG_EVERY_SECONDS:
            self._logged_s = time.monotonic()
            _log.info(
                "waiting for the request budget of %s (%s): all %d of %.0f s are used, more in about %.0f s",
                self._server, lane, self.limit, self._window, max(wait, 1.0),
            )  # fmt: skip
