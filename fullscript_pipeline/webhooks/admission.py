"""How many requests, and how many bytes of their bodies, are held at once; whoever is slow makes room for the others.

A body that takes its time is a slow network's or an attacker's; either way its sender can come again, and a genuine one
that has arrived whole must not be refused for it. What does not belong here: what a request is answered (`receiver`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

# All bodies being received together, so that many large ones cannot fill the memory.
ALL_BODIES = 4 << 20
# The vendor's bodies come with their heads.
SLOW_SECONDS = 0.3


class Full(Exception):
    """There is no room, and nobody slow to make it."""


class Guest(Protocol):
    """A request being worked on; `complete`: its body is here."""

    @property
    def complete(self) -> bool: ...
    @property
    def age(self) -> float: ...
    def give_up(self) -> None: ...


class Admission:
    """The requests inside with the bytes that each holds, in the order in which they came in."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Guest, int] = {}
        self._bytes = 0

    @contextmanager
    def admitted(self, guest: Guest) -> Iterator[None]:
        """It is inside for the length of the block. Raises Full."""
        if len(self._held) >= self._most:
            slowest = next((one for one in self._held if not one.complete), None)
            if slowest is None or slowest.age < SLOW_SECONDS:
                raise Full
            self._send_away(slowest)
        self._held[guest] = 0
        try:
            yield
        finally:
            self._bytes -= self._held.pop(guest, 0)

    def hold(self, guest: Guest, size: int) -> None:
        """Its body is `size` bytes by now. Raises Full when it is itself what takes most of the room."""
        if guest not in self._held:
            return  # sent away a moment ago
        self._bytes += size - self._held[guest]
        self._held[guest] = size
        while self._bytes > ALL_BODIES:
            largest = max((one for one in self._held if one is guest or not one.complete), key=self._held.__getitem__)
            if largest is guest:
                raise Full
            self._send_away(largest)

    def whole(self) -> int:
        """How many have their body here, and are being checked or stored."""
        return sum(guest.complete for guest in self._held)

    def _send_away(self, guest: Guest) -> None:
        self._bytes -= self._held.pop(guest)
        guest.give_up()
