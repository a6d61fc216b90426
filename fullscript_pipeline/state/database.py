"""What the state store needs of a database: short transactions with one writer at a time, and locks by name.

What does not belong here: tables, and what only one database does (`sqlite_file`, `postgres`).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import ColumnElement, Connection, Table, func
from sqlalchemy.dialects import sqlite

# Called with the previous version, in the transaction that upgrades the schema.
AfterUpgrade = Callable[[Connection, int], None]
# Called at the begin of every write transaction, with the write lock held; it may raise.
BeforeWrite = Callable[[Connection], None]


class LockNotFree(Exception):
    """A named lock was not free within the time; the caller says what was waited for."""


class Database(Protocol):
    """An open database of the newest schema; threads may share it. `place` and `owner` name it in sentences.

    Every verb raises ConfigurationError if the database cannot be used, ServiceUnavailable if it cannot be reached, and
    Busy if others hold it for too long.
    """

    place: str
    owner: str
    # Where processes of this machine note how many permits they have used; None: their leases expire by themselves.
    notes_folder: Path | None

    def read(self) -> AbstractContextManager[Connection]:
        """Yields a connection with a consistent snapshot."""

    def write(self) -> AbstractContextManager[Connection]:
        """Yields a transaction that holds the write lock from its start; commits at the end, rolls back on error."""

    def named_lock(self, name: str, seconds: float) -> AbstractContextManager[Callable[[], bool]]:
        """Holds a lock over threads, processes and machines that share the store. Raises LockNotFree.

        It is no transaction: other rows stay writable meanwhile. It is released when the process dies. Yields a
        function that returns whether it is still held; a server that was restarted has released it.
        """

    def seconds_ahead(self, connection: Connection, /) -> float:
        """How far the clock that all processes count by is ahead of this machine's."""

    def damage(self) -> str | None:
        """The first problem that the database finds in itself; None: none."""

    def erase_deleted(self) -> None:
        """Removes what was deleted or replaced from the database's own files, as far as it can."""

    def size_bytes(self) -> int:
        """The bytes on disk."""

    def close(self) -> None:
        """Closes the connections of this process; later use opens new ones."""


@runtime_checkable
class RemoteDatabase(Database, Protocol):
    """A database behind a network."""

    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""

    def is_on_this_machine(self) -> bool:
        """Whether the server is reached by a socket or a loopback address."""


@contextmanager
def close_unless_opened(database: Database) -> Iterator[None]:
    """Closes the connections of a database that cannot be opened after all."""
    try:
        yield
    except BaseException:
        database.close()
        raise


def do_nothing(*_arguments: object) -> None:
    """The default of `after_upgrade` and `before_write`."""


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, in the words of the connection's database (both have the same methods)."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - loads all its drivers' modules

    return postgresql.insert(table)


def greater_of(connection: Connection, left: ColumnElement[Any], right: ColumnElement[Any]) -> ColumnElement[Any]:
    """The greater of two values of a row."""
    return func.max(left, right) if connection.dialect.name == "sqlite" else func.greatest(left, right)
