"""How many requests, and how many bytes of their bodies, are held at once; whoever is slow makes room for the others.

A body that takes its time is a slow network's or an attacker's; either way its sender can come again, and a genuine one
that has arrived whole must not be refused for it. What does not belong here: what a request is answered (`receiver`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

# All bodies being received together, the large ones and the rest, so that many cannot fill the memory.
ALL_BODIES = 4 << 20
# The vendor's are a few thousand bytes. What announces more reserves it, so that of many some are read whole and not
# all in part; it takes no room from the others.
LARGE_BODY = 64 << 10
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
        self._reserved: dict[Guest, int] = {}

    @contextmanager
    def admitted(self, guest: Guest, announced: int = 0) -> Iterator[None]:
        """It is inside for the length of the block; `announced`: how long its body will be. Raises Full."""
        if len(self._held) >= self._most:
            self._make_room(self._held)
        while announced > LARGE_BODY and sum(self._reserved.values()) + announced > ALL_BODIES:
            self._make_room(self._reserved)
        self._held[guest] = 0
        if announced > LARGE_BODY:
            self._reserved[guest] = announced
        try:
            yield
        finally:
            self._leave(guest)

    def set_size(self, guest: Guest, size: int) -> None:
        """Its body is `size` bytes by now. Raises Full when it is itself what takes most of the room."""
        if guest not in self._held or guest in self._reserved:
            return  # sent away a moment ago, or counted already
        self._bytes += size - self._held[guest]
        self._held[guest] = size
        while self._bytes > ALL_BODIES:
            candidates = (
                candidate
                for candidate in self._held
                if candidate is guest or not (candidate.complete or candidate in self._reserved)
            )
            largest = max(candidates, key=self._held.__getitem__)
            if largest is guest:
                raise Full
            self._send_away(largest)

    def complete_count(self) -> int:
        """How many have their body here, and are being checked or stored."""
        return sum(guest.complete for guest in self._held)

    def _make_room(self, among: Mapping[Guest, int]) -> None:
        """Sends away whoever has been slow for longest. Raises Full when nobody is."""
        slowest = next((guest for guest in among if not guest.complete), None)
        if slowest is None or slowest.age < SLOW_SECONDS:
            raise Full
        self._send_away(slowest)

    def _send_away(self, guest: Guest) -> None:
        self._leave(guest)
        guest.give_up()

    def _leave(self, guest: Guest) -> None:
        self._bytes -= self._held.pop(guest, 0)
        self._reserved.pop(guest, None)
