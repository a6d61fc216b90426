"""A state store in a SQLite file: private, in WAL mode, migrated, with short transactions.

A writer takes the write lock at its start (BEGIN IMMEDIATE), so that rows that it has read cannot change, and waits for
others for a bounded time. What does not belong here: any table.
"""

import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.state.database import AfterUpgrade, BeforeWrite, LockNotFree, close_unless_opened, do_nothing
from fullscript_pipeline.state.schema import MIGRATIONS

_BUSY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.016


class SqliteFile:
    """Opens `path`, creating folder (0700) and file (0600); implements `database.Database`."""

    def __init__(
        self,
        path: Path,
        busy_seconds: float = _BUSY_SECONDS,
        *,
        read_only: bool = False,
        after_upgrade: AfterUpgrade = do_nothing,
        before_write: BeforeWrite = do_nothing,
    ) -> None:
        self.path = path
        self.place, self.owner = str(path), f"data directory {path.parent}"
        self.notes_folder: Path | None = path.with_name(f"{path.name}.permits")
        self._after_upgrade, self._before_write = after_upgrade, before_write
        self._busy_seconds, self._read_only = busy_seconds, read_only
        if not read_only:
            self._make_private_file()
        elif not path.exists():
            raise ConfigurationError(f"There is no state store at {path} yet: `fullscript-pipeline connect` makes it.")
        self._engine = self._make_engine()
        with close_unless_opened(self):
            self._migrate()

    def close(self) -> None:
        """Closes the connections of this process."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yields a connection with a consistent snapshot."""
        with self._explain_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yields a transaction that holds the write lock from its start; commits at the end, rolls back on error."""
        with self._transaction() as connection:
            self._before_write(connection)
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._explain_errors(), self._engine.connect() as connection:
            connection = connection.execution_options(begin="IMMEDIATE")  # noqa: PLW2901
            with connection.begin():
                yield connection

    @contextmanager
    def named_lock(self, name: str, seconds: float) -> Iterator[Callable[[], bool]]:
        """A lock file beside the store, named by a digest."""
        folder = self.path.with_name(f"{self.path.name}.locks")
        folder.mkdir(mode=0o700, exist_ok=True)
        digest = hashlib.sha256(name.encode()).hexdigest()[:24]
        lock = FileLock(folder / f"{digest}.lock", mode=0o600, poll_interval=0.02)
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise LockNotFree from None
        try:
            yield lambda: True
        finally:
            lock.release()

    def seconds_ahead(self, _connection: Connection) -> float:
        """0: every process counts by the clock of this machine."""
        return 0.0

    def erase_deleted(self) -> None:
        """Rewrites the file and empties the log, because SQLite keeps deleted rows in free pages and in its log."""
        with self._explain_errors(), closing(sqlite3.connect(self.path, timeout=self._busy_seconds)) as connection:
            connection.isolation_level = None
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def damage(self) -> str | None:
        """The first problem that SQLite's integrity check finds in the file; None: none.

        SQLite compares tables with their indexes and has no checksums, so it does not detect a changed letter in a
        plain column; a changed sealed value is detected when it is opened.
        """
        with self.read() as connection:
            answer = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        return None if answer == "ok" else str(answer)

    def _make_private_file(self) -> None:
        try:
            make_private_folder(self.path.parent)
            if not self.path.exists():
                _create(self.path)
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
        except OSError as problem:
            raise ConfigurationError(
                f"The state store {self.path} cannot be opened for writing ({problem.strerror}): set "
                "FULLSCRIPT_DATA_DIR to a folder you own, or change its permissions."
            ) from None

    def _make_engine(self) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            hide_parameters=True,  # no tokens in a log or an error
            connect_args={"timeout": self._busy_seconds, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None  # our own BEGIN below, not the driver's guess
            if self._read_only:
                connection.execute("PRAGMA query_only=ON")
                return
            _use_wal(connection, self._busy_seconds)
            connection.execute("PRAGMA synchronous=FULL")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("begin") != "IMMEDIATE":
                connection.exec_driver_sql("BEGIN DEFERRED")
                return
            _take_write_lock(connection.connection.driver_connection, self._busy_seconds)

        return engine

    def _migrate(self) -> None:
        with self.read() as connection:
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        if version == len(MIGRATIONS):
            return
        if self._read_only and version < len(MIGRATIONS):
            raise ConfigurationError(
                f"The state store {self.path} is of an older version: `fullscript-pipeline clinics` upgrades it."
            )
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"The state store {self.path} was made by a newer version of fullscript-pipeline: install that one."
            )
        with self._transaction() as connection:
            # Read again under the lock: another process may have migrated meanwhile.
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            for migration in MIGRATIONS[version:]:
                for statement in migration:
                    connection.exec_driver_sql(statement)
            if version < len(MIGRATIONS):
                self._after_upgrade(connection, version)
            connection.exec_driver_sql(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Translates SQLite errors into messages without the statement's values (tokens)."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as problem:
            cause = problem.orig if isinstance(problem, DBAPIError) else problem
            if type(cause) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise  # a bug of ours (a constraint, a wrong statement), not a problem of the file
            raise self._error_for(str(cause)) from None

    def _error_for(self, text: str) -> PipelineError:
        if "locked" in text or "busy" in text:
            return Busy(
                f"Another process has been writing the state store {self.path} for more than "
                f"{self._busy_seconds:.0f} s: wait for it, or stop it, and run this again."
            )
        if "disk is full" in text:
            return ConfigurationError(f"The disk that holds the state store {self.path} is full: free some space.")
        if "disk I/O error" in text:
            return ConfigurationError(
                f"The state store {self.path} cannot be read or written ({text}): free some space, or look at "
                "the disk, then run this again."
            )
        if "unable to open" in text or "readonly" in text:
            return ConfigurationError(
                f"The state store {self.path} cannot be opened for writing ({text}): the disk is mounted read-only, "
                "or the folder is somebody else's; nothing is wrong with the store itself."
            )
        return ConfigurationError(
            f"The state store {self.path} cannot be used ({text}): restore it from a backup, or move it away and "
            "connect the clinics again."
        )


def _create(path: Path) -> None:
    """Creates the file with mode 0600 before SQLite would, by the umask. Its -wal and -shm files copy the mode.

    It never opens an existing file: POSIX releases all locks of a process on a file, also SQLite's, when the process
    closes any handle of it, and two writers at once corrupt the file.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def remove_store(path: Path) -> None:
    """Removes a store that no process has open, with its log and index."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _take_write_lock(connection: Any, seconds: float) -> None:
    """BEGIN IMMEDIATE, tried every few milliseconds.

    SQLite's own wait polls only ten times a second after a while: with a busy writer, the webhook receiver would wait
    for more than half a second.
    """
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as problem:
                if "locked" not in str(problem) or time.monotonic() > deadline:
                    raise
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that waiting processes do not retry in step
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def _use_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Switches the file to WAL once. SQLite itself does not wait for other processes here, so this retries."""
    deadline = time.monotonic() + seconds
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as problem:
            # Other processes release the lock; a full disk does not recover during the wait.
            if "lock" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
