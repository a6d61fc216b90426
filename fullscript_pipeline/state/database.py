"""The SQLite file itself: private, in WAL mode, migrated, with short transactions.

Used by several processes and threads at once: a writer takes the write lock at its start (BEGIN IMMEDIATE), so that
what it read cannot change under it, and waits a bounded time for others. What does not belong here: any table.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.state.schema import MIGRATIONS

_BUSY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.016


class Database:
    """Opens `path`, creating folder (0700) and file (0600), and brings it to the newest schema.

    `read_only` makes, changes and migrates nothing: the file must be there, of our schema, and takes no write.
    `after_upgrade` is called in the transaction that brings the schema to the newest version, with the version before.
    `before_write` is called at the begin of every transaction that writes, with the write lock held; it may raise.
    Raises ConfigurationError when it cannot be used as it is, Busy when others hold it for longer than we may wait.
    """

    def __init__(
        self,
        path: Path,
        busy_seconds: float = _BUSY_SECONDS,
        *,
        read_only: bool = False,
        after_upgrade: Callable[[Connection, int], None] = lambda _connection, _version: None,
        before_write: Callable[[Connection], None] = lambda _connection: None,
    ) -> None:
        self.path = path
        self._after_upgrade, self._before_write = after_upgrade, before_write
        self._busy_seconds, self._read_only = busy_seconds, read_only
        if not read_only:
            self._make_private_file()
        elif not path.exists():
            raise ConfigurationError(f"There is no state store at {path} yet: `fullscript-pipeline connect` makes it.")
        self._engine = self._make_engine()
        self._migrate()

    def close(self) -> None:
        """Close the connections of this process."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view."""
        with self._explain_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start; committed at the end, rolled back on an error."""
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
    def outside_transactions(self) -> Iterator[sqlite3.Connection]:
        """A plain connection for what SQLite does in no transaction: VACUUM, checkpoints, its backup."""
        with self._explain_errors(), closing(sqlite3.connect(self.path, timeout=self._busy_seconds)) as connection:
            connection.isolation_level = None
            yield connection

    def damage(self) -> str | None:
        """What SQLite itself finds wrong in its file; None: nothing. It compares tables with their indexes and keeps no
        checksums: another letter in a plain column is not seen, one in a sealed value is when that is opened."""
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
            hide_parameters=True,  # tokens, in a log or an error
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
            # Again under the lock: another process may have migrated meanwhile.
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            for migration in MIGRATIONS[version:]:
                for statement in migration:
                    connection.exec_driver_sql(statement)
            if version < len(MIGRATIONS):
                self._after_upgrade(connection, version)
            connection.exec_driver_sql(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turn SQLite's complaints into sentences; the statement's values (tokens) are in none of them."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as problem:
            cause = problem.orig if isinstance(problem, DBAPIError) else problem
            if type(cause) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise  # a mistake of ours (a constraint, a wrong statement), not the file's
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
    """Make the file before SQLite does: it would follow the umask. Its -wal and -shm files copy the mode of this one.

    Only ever a file that is not there. Opening an existing one here would be fatal: POSIX drops all of a process's
    locks on a file when it closes any handle of it, SQLite's too, and two writers at once make a malformed file.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def remove_store(path: Path) -> None:
    """Removes a store that nobody has open, with its log and index."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _take_write_lock(connection: Any, seconds: float) -> None:
    """BEGIN IMMEDIATE, tried every few milliseconds.

    SQLite's own wait looks only ten times a second after a while: beside a busy writer, the webhook receiver would
    wait for half a second and more.
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
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that those who wait do not move in step
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def _use_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Switch the file to WAL, once; SQLite itself does not wait here for other processes that start together."""
    deadline = time.monotonic() + seconds
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as problem:
            # Others end; a disk that takes no more does not while we wait.
            if "lock" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
