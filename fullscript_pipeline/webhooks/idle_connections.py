"""Bounds idle connections, in total and per address: beyond the bound, the oldest are closed.

A connection costs an open file. Thousands of connections that send nothing, or half of a request's head, must not lock
out the vendor. Behind a proxy all have the same address, so no new one is refused: the oldest make room. What does
not belong here: requests whose head is there (`admission`), sockets (`server`).
"""

import time
from collections.abc import Callable
from typing import Protocol

# A burst of genuine connections is read within this time; before it ends, only the total bound applies.
GRACE_SECONDS = 1.0
MAX_PER_ADDRESS = 200


class Idle(Protocol):
    """A connection without a request, which can be closed."""

    def close_idle(self) -> None: ...


class IdleConnections:
    """The idle connections of a server, in the order in which they became idle. Used by its event loop only."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._since: dict[Idle, tuple[str, float]] = {}
        self._by_address: dict[str, dict[Idle, float]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def add(self, connection: Idle, address: str) -> None:
        """Adds a connection that became idle; may close older ones."""
        self.remove(connection)
        now = self._clock()
        self._since[connection] = address, now
        here = self._by_address.setdefault(address, {})
        here[connection] = now
        oldest, since = next(iter(here.items()))
        if len(here) > MAX_PER_ADDRESS and now - since > GRACE_SECONDS:
            self._close(oldest)
        if len(self._since) > self._most:
            self._close(next(iter(self._since)))

    def remove(self, connection: Idle) -> None:
        """Removes a connection whose request has arrived, or that has ended."""
        address, _ = self._since.pop(connection, ("", 0.0))
        here = self._by_address.get(address, {})
        here.pop(connection, None)
        if not here:
            self._by_address.pop(address, None)

    def _close(self, connection: Idle) -> None:
        self.remove(connection)
        connection.close_idle()
