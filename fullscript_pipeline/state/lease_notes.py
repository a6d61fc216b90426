"""Stores how many of its permits a process has used, in a file that outlives the process.

The file holds a few bytes, written to the page cache at every permit (microseconds, no sync), under a lock that the
system releases when the process dies. So another process can see that the holder is gone and how many permits it has
used. If the machine fails, the file may be lost; then the whole block counts as used, which is the safe side.
What does not belong here: the count (`request_budget`).
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fullscript_pipeline.typed_rows import typed_row

_RECORD = struct.Struct("<qqd")


@dataclass(frozen=True, kw_only=True)
class LeaseUsage:
    """The usage of a lease: the used permits, and when the last one was used (seconds since 1970)."""

    lease_id: int
    used: int
    last_used_s: float


class LeaseUsageFile:
    """The file of one holder, created at the first write. Not thread-safe: the budget holds its lock."""

    def __init__(self, folder: Path, holder: str) -> None:
        self._path = folder / holder
        self._handle: int | None = None

    def write(self, slot: int, usage: LeaseUsage) -> None:
        """Replaces the usage in `slot` (one per priority)."""
        if self._handle is None:
            self._handle = _create(self._path)
        os.pwrite(self._handle, _RECORD.pack(usage.lease_id, usage.used, usage.last_used_s), slot * _RECORD.size)

    def close(self) -> None:
        """Removes the file, after all permits were returned."""
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def take_abandoned(folder: Path) -> Iterator[LeaseUsage]:
    """Yields the usage left by dead processes and removes their files, so that each is found once."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(OSError):  # another process was faster
            handle = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the holder is alive
                content = os.read(handle, 16 * _RECORD.size)
                path.unlink()
            finally:
                os.close(handle)
            complete_length = len(content) - len(content) % _RECORD.size
            yield from (
                typed_row(LeaseUsage, fields) for fields in _RECORD.iter_unpack(content[:complete_length]) if fields[0]
            )


def _create(path: Path) -> int:
    """Creates a file that is locked as long as this process is alive or holds it open."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Another process may have removed it as abandoned between the two calls.
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)
