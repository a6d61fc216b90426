"""Opens a SQLite file of the portal: private, in WAL mode, synced at every commit, with short transactions.

What does not belong here: tables, queries, and the state store, which the portal never opens.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.private_files import make_private_folder

_BUSY_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class TableSet:
    """The tables of one file. `upgrades`: the statements that make a file of the version before fit a version."""

    metadata: MetaData
    version: int
    upgrades: Mapping[int, Sequence[str]] = field(default_factory=dict)


class PortalDatabase:
    """Threads and processes may share the file. Raises ConfigurationError if it cannot be used."""

    def __init__(self, path: Path, tables: TableSet) -> None:
        self.path, self._tables = path, tables
        # Threads queue here: SQLite itself would let them sleep and try again.
        self._writing = threading.Lock()
        with self._explained():
            _create_private(path)
            self._engine = _make_engine(path)
            self._create_tables()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yields a connection with a consistent snapshot."""
        with self._explained(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yields a transaction that holds the write lock from its start, and is on disk when the block ends."""
        with self._explained(), self._writing, self._engine.connect() as connection:
            connection = connection.execution_options(begin="IMMEDIATE")  # noqa: PLW2901
            with connection.begin():
                yield connection

    def _create_tables(self) -> None:
        with self.write() as connection:
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            if version > self._tables.version:
                raise ConfigurationError(
                    f"The portal's store {self.path} was made by a newer version of fullscript-pipeline: install that."
                )
            for step in range(version + 1, self._tables.version + 1) if version else ():
                for statement in self._tables.upgrades.get(step, ()):
                    connection.exec_driver_sql(statement)
            self._tables.metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {self._tables.version}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the file without the statement's values."""
        try:
            yield
        except OSError as problem:
            raise self._unusable(problem.strerror or "unknown error") from None
        except DBAPIError as problem:
            if not isinstance(problem.orig, sqlite3.OperationalError):
                raise
            if "locked" in str(problem.orig):
                raise Busy(f"Another process is writing the portal's store {self.path}: try again.") from None
            raise self._unusable(str(problem.orig)) from None

    def _unusable(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"The portal's store {self.path} cannot be used ({why}): free some space, or make this user its owner."
        )


def _create_private(path: Path) -> None:
    make_private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _make_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("begin") == "IMMEDIATE"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN DEFERRED")

    return engine
