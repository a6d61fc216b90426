"""What a process has used of the permits it holds, noted where it outlives the process.

A few bytes in a file of its own, written through the page cache at every permit (microseconds, no sync), under a lock
that the system takes off when the process dies. So whoever needs permits can see that a holder is gone and how many it
has used. If the machine itself dies the note may be lost: then the whole block counts, which errs on the safe side.
What does not belong here: the count (`request_budget`).
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_RECORD = struct.Struct("<qqd")


@dataclass(frozen=True)
class LeaseUsage:
    """The last state of one lease: permits used, and when the last of them (seconds since 1970)."""

    lease_id: int
    used: int
    last_used_s: float


class LeaseUsageFile:
    """The notes of one holder, made at the first write. Not thread-safe: the budget's lock stands before it."""

    def __init__(self, folder: Path, holder: str) -> None:
        self._path = folder / holder
        self._handle: int | None = None

    def write(self, slot: int, usage: LeaseUsage) -> None:
        """Replace the note in `slot` (one for each lane)."""
        if self._handle is None:
            self._handle = _create(self._path)
        os.pwrite(self._handle, _RECORD.pack(usage.lease_id, usage.used, usage.last_used_s), slot * _RECORD.size)

    def close(self) -> None:
        """Everything was given back: nothing to note any more."""
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def take_abandoned(folder: Path) -> Iterator[LeaseUsage]:
    """The notes of processes that are gone; each is found once."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(OSError):  # somebody else is faster
            handle = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the holder lives
                content = os.read(handle, 16 * _RECORD.size)
                path.unlink()
            finally:
                os.close(handle)
            complete_length = len(content) - len(content) % _RECORD.size
            yield from (LeaseUsage(*fields) for fields in _RECORD.iter_unpack(content[:complete_length]) if fields[0])


def _create(path: Path) -> int:
    """A new file that is locked for as long as this process lives, or holds it open."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Between the two calls somebody may have taken it for an abandoned one.
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)
