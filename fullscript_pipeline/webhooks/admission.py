"""Bounds the requests, and the bytes of their bodies, that are processed at once; slow requests make room for others.

A slow body comes from a slow network or an attacker. In both cases the sender can send it again, and a complete genuine
request must not be refused because of it. What does not belong here: the response to a request (`receiver`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

# The bytes of all bodies in reception, so that many cannot fill the memory; also those of all large ones.
ALL_BODIES = 4 << 20
# The vendor's bodies have a few thousand bytes. A larger body reserves its announced size, so that some of many are
# read completely instead of all in part; it takes no room from the small ones.
LARGE_BODY = 64 << 10
# The vendor's bodies arrive together with their heads.
SLOW_SECONDS = 0.3


class Full(Exception):
    """There is no room, and no slow request to remove."""


class Guest(Protocol):
    """A request in progress; `complete`: its body has arrived."""

    @property
    def complete(self) -> bool: ...
    @property
    def age(self) -> float: ...
    def give_up(self) -> None: ...


class Admission:
    """The admitted requests with the bytes that each holds, in the order of arrival."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Guest, int] = {}
        self._bytes = 0
        self._reserved: dict[Guest, int] = {}

    @contextmanager
    def admitted(self, guest: Guest, announced: int = 0) -> Iterator[None]:
        """Admits a request for the length of the block; `announced`: the size of its body. Raises Full."""
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
        """Updates the size of a body so far. Raises Full if this request itself takes the most room."""
        if guest not in self._held or guest in self._reserved:
            return  # removed meanwhile, or reserved already
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
        """The number of requests whose body has arrived and is being checked or stored."""
        return sum(guest.complete for guest in self._held)

    def _make_room(self, among: Mapping[Guest, int]) -> None:
        """Removes the request that has been slow for the longest time. Raises Full if there is none."""
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
