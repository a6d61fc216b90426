"""Who has the warehouse file: its lock over processes, and the attachment that is kept between two uses.

To attach the file costs ten milliseconds and to detach it a checkpoint; a pull uses the file thirty times. So the file
stays attached after a use, until another process waits for it, at once, or until it has been idle for IDLE_SECONDS.
Who waits for the lock holds the queue meanwhile: the holder sees that somebody waits (`is_wanted`), and cannot take the
lock again before the one who waits has had it. What does not belong here: transactions (`connection`).
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from fullscript_pipeline.errors import Busy
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.process_identity import ProcessIdentity

ALIAS = "warehouse"
# A program that ignores our lock (a notebook) can open the file again after this long.
IDLE_SECONDS = 0.5
_POLL_SECONDS = 0.05
_log = logging.getLogger(__name__)
# A process that keeps the file between two uses releases it within this time when another one waits, also on a
# machine that is busy: it needs a moment of a core and writes a checkpoint.
RELEASED_WITHIN_SECONDS = 2.0
# After this long a wait is logged, so that a person at a terminal knows why nothing happens.
WARN_AFTER_SECONDS = 2.0


class WarehouseLock:
    """The lock of one warehouse file, over processes. Threads of one process must exclude each other by themselves."""

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path = path
        self._wait_seconds = wait_seconds
        # Not bound to a thread: the thread that releases an idle file is not the one that used it.
        self._lock = _lock_file(path, "lock")
        self._queue = _lock_file(path, "queue.lock")
        self._holder = path.with_name(f"{path.name}.holder")

    def acquire(self) -> None:
        """Waits for the lock; raises Busy, naming the holder, when it is not free within `wait_seconds`."""
        began = time.monotonic()
        try:
            self._wait(self._queue, began)
            try:
                self._wait(self._lock, began)
            finally:
                self._queue.release()
        except Timeout:
            raise Busy(
                f"The warehouse {self._path} is held by process {self._holder_name()} and was not free within "
                f"{self._wait_seconds:.0f} s; let that process finish or stop it, then try again."
            ) from None
        self._holder.touch(mode=0o600)
        self._holder.write_text(str(ProcessIdentity.current()))

    def release(self) -> None:
        self._lock.release()

    def is_wanted(self) -> bool:
        """Whether another process, or another opener of the same file, waits for the lock."""
        try:
            with self._queue.acquire(timeout=0):
                return False
        except Timeout:
            return True

    def warn_of_wait(self, holder: str) -> None:
        _log.warning("waiting up to %.0f s for the warehouse, which %s holds ...", self._wait_seconds, holder)

    def _wait(self, lock: FileLock, began: float) -> None:
        """Acquires one of the two locks and logs a long wait once."""
        waited = time.monotonic() - began
        if waited < WARN_AFTER_SECONDS < self._wait_seconds:
            try:
                lock.acquire(timeout=WARN_AFTER_SECONDS - waited, poll_interval=_POLL_SECONDS)
                return
            except Timeout:
                self.warn_of_wait(f"process {self._holder_name()}")
        left = began + self._wait_seconds - time.monotonic()
        lock.acquire(timeout=max(0.0, left), poll_interval=_POLL_SECONDS)

    def _holder_name(self) -> str:
        try:
            recorded = self._holder.read_text()
        except OSError:
            return "unknown"
        holder = ProcessIdentity.parse(recorded)
        if holder is None:
            return recorded or "unknown"
        return f"{holder.pid} (of another container or machine)" if holder.is_alive() is None else str(holder.pid)


@contextmanager
def lock_is_free(path: Path) -> Iterator[bool]:
    """Yields whether no process uses the file, and keeps it so within the block. The holder's note is not written."""
    queue, lock = _lock_file(path, "queue.lock"), _lock_file(path, "lock")
    try:
        with queue.acquire(timeout=RELEASED_WITHIN_SECONDS), lock.acquire(timeout=RELEASED_WITHIN_SECONDS):
            yield True
            return
    except Timeout:
        pass
    yield False


def _lock_file(path: Path, ending: str) -> FileLock:
    return FileLock(path.with_name(f"{path.name}.{ending}"), mode=0o600, thread_local=False)


class Attachment:
    """The one warehouse file that a DuckDB instance has attached, or none. `guard` is held during every use."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.guard = threading.RLock()
        self._path: Path | None = None
        self._lock: WarehouseLock | None = None
        self._inode = 0
        self._is_read_only = False
        self.has_new_rows = False
        # Its lists of deleted rows may need more than the usual memory, and are released only when it is detached.
        self.is_large = False
        self._idle_since = 0.0

    def is_attached(self, path: Path, *, read_only: bool) -> bool:
        """Whether this file, not one that took its place, is attached in a mode that allows the use."""
        return (
            self._path == path
            and (read_only or not self._is_read_only)
            and path.exists()
            and path.stat().st_ino == self._inode
        )

    def take(self, path: Path, lock: WarehouseLock, attach: Callable[[], None], read_only: bool) -> None:
        """Attaches the file with `attach` under its lock; another file that is attached is detached first."""
        self.detach()
        self.detach_elsewhere(path)
        lock.acquire()
        try:
            attach()
            self._inode = path.stat().st_ino
        except BaseException:
            lock.release()
            raise
        self._path, self._lock, self._is_read_only = path, lock, read_only
        self.has_new_rows = True

    def keep(self) -> None:
        """Ends a use: the file stays attached unless another process waits for it, or its lists hold much memory."""
        if self._lock is None or self.is_large or self._lock.is_wanted():
            self.detach()
            return
        self._idle_since = time.monotonic()
        _watch(self)

    def detach(self) -> None:
        """Detaches the file, which writes a checkpoint, and releases its lock. Does nothing when none is attached."""
        _unwatch(self)
        if self._lock is None:
            return
        lock, self._path, self._lock = self._lock, None, None
        try:
            with private_files():
                self.con.execute("USE memory")
                self.con.execute(f"DETACH {ALIAS}")
        except duckdb.IOException as error:
            # It is detached, and what was committed is safe in its write-ahead log: the next use takes that over.
            _log.warning("the warehouse's last writes stay in its write-ahead log: %s", str(error).partition("\n")[0])
        finally:
            lock.release()

    def detach_if_unused(self, path: Path | None = None) -> None:
        """Detaches the file when no thread uses it; with a path, only that file."""
        # The watching thread holds the guard for a moment.
        if not self.guard.acquire(timeout=_POLL_SECONDS):
            return
        try:
            if path is None or path == self._path:
                self.detach()
        finally:
            self.guard.release()

    def detach_elsewhere(self, path: Path) -> None:
        """Detaches the file from other DuckDB instances of this process, which need not wait for each other."""
        with _changed:
            others = [attachment for attachment in _idle if attachment is not self]
        for other in others:
            other.detach_if_unused(path)

    def detach_if_due(self) -> None:
        """Detaches the file when it was idle for long enough or when another process waits for it."""
        if not self.guard.acquire(blocking=False):
            return
        try:
            is_due = time.monotonic() > self._idle_since + IDLE_SECONDS
            if self._lock and (is_due or self._lock.is_wanted()):
                self.detach()
        finally:
            self.guard.release()


_idle: set[Attachment] = set()
_changed = threading.Condition()
_ending = threading.Event()
_watcher: threading.Thread | None = None


def _watch(attachment: Attachment) -> None:
    global _watcher  # noqa: PLW0603 - one thread a process watches the files of all its instances
    with _changed:
        _idle.add(attachment)
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_detach_idle_files, name="idle-warehouse", daemon=True)
            _watcher.start()
        _changed.notify()


def _unwatch(attachment: Attachment) -> None:
    with _changed:
        _idle.discard(attachment)


def _detach_idle_files() -> None:
    while not _ending.is_set():
        with _changed:
            _changed.wait_for(lambda: bool(_idle) or _ending.is_set())
            attachments = list(_idle)
        for attachment in attachments:
            attachment.detach_if_due()
        _ending.wait(_POLL_SECONDS)


def detach_all() -> None:
    """Detaches all files that no thread uses: before a fork, whose child would inherit the locks."""
    with _changed:
        attachments = list(_idle)
    for attachment in attachments:
        attachment.detach_if_unused()


def _forget_watcher() -> None:
    """In a forked child: the watching thread was not copied."""
    global _watcher, _changed
    _watcher, _changed = None, threading.Condition()
    _idle.clear()


@atexit.register
def _end() -> None:
    """A thread that Python ends while it is inside DuckDB would abort the process."""
    _ending.set()
    with _changed:
        _changed.notify_all()
    if _watcher is not None:
        _watcher.join()
    detach_all()


os.register_at_fork(before=detach_all, after_in_child=_forget_watcher)
