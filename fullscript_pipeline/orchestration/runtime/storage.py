"""Dagster's SQLite storage with reused database engines.

Dagster makes a new engine for every statement: it connects, compiles, waits for the disk and closes, some 900 times
in a clinic's day. Here engines and connections are reused. Files and tables stay Dagster's own, so an instance can
switch between the two storages (`storage` in dagster.yaml). The private names are pinned with Dagster's version, and
every test run uses them. What does not belong here: anything that changes what is stored.
"""

import atexit
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import AlembicVersion, check_alembic_revision, get_alembic_config
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

# A run's file is closed this long after a statement.
CLOSE_AFTER_SECONDS = 0.2
PARTITION_REMEMBERED_SECONDS = 5.0
_MOST_ENGINES = 8
# By address, in the order in which they were last used.
_engines: dict[str, Engine] = {}


def _engine(address: str) -> Engine:
    """A reused engine with its compiled statements. Few are kept, because the UI opens a file per run; the one that was
    not used for longest closes its connections."""
    # Without a lock, which a forked run could find locked for ever: each of these steps is one for the interpreter.
    _engines[address] = engine = _engines.pop(address, None) or _new_engine(address)
    if len(_engines) > _MOST_ENGINES and (oldest := _engines.pop(list(_engines)[0], None)):  # noqa: RUF015 - one step
        oldest.dispose()
    return engine


def _new_engine(address: str) -> Engine:
    engine = create_engine(
        address,
        poolclass=QueuePool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _wait_less)
    return engine


def _wait_less(connection: Any, _: object) -> None:
    """In WAL mode, a power cut may then lose the last events of a run, but never damage the file or pipeline data."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _revision_of(config: Config, connection: Connection) -> AlembicVersion:
    """The revision of a file, twice. Whoever opens one only asks whether it has any and knows a newest; to learn the
    newest, Dagster loads all of its migrations, which was two thirds of the work of a sensor that has nothing to do."""
    revision = MigrationContext.configure(connection).get_current_revision()
    return (revision, revision) if revision else check_alembic_revision(config, connection)


for _module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    _module.check_alembic_revision = _revision_of  # type: ignore[attr-defined]


class _EventLog(SqliteEventLogStorage):
    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._closing: dict[Engine, threading.Timer] = {}
        self._open: dict[str, Connection] = {}
        self._tables: set[str] = set()
        self._partitions_seen: dict[tuple[str, str], float] = {}
        super().__init__(base_dir, inst_data)
        # A batch of events takes it again for each of them.
        self._db_lock = threading.RLock()  # type: ignore[assignment]
        _event_logs.add(self)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        engine = _engine(self.conn_string_for_shard(shard))
        with self._db_lock:
            if shard in self._open:
                yield self._open[shard]
                return
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection
            if shard != INDEX_SHARD_NAME:
                self._close_soon(engine)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events of one run in one transaction of its file and one of the index."""
        run_id = events[0].run_id
        with self._connect(run_id) as of_run, self._connect(INDEX_SHARD_NAME) as of_index:
            self._open = {run_id: of_run, INDEX_SHARD_NAME: of_index}
            try:
                super().store_event_batch(events)
            finally:
                self._open = {}

    def alembic_version(self) -> AlembicVersion:
        """The revision of the files and the newest that Dagster knows, for `dagster instance info`."""
        with self.index_connection() as connection:
            return check_alembic_revision(get_alembic_config(sqlite_event_log.__file__), connection)

    def has_table(self, table_name: str) -> bool:
        """A table that is there stays, so it is looked up once."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """Each asset of a step asks for the same clinic: what was found a moment ago is not looked up again."""
        partition = partitions_def_name, partition_key
        if time.monotonic() < self._partitions_seen.get(partition, 0) + PARTITION_REMEMBERED_SECONDS:
            return True
        is_known = super().has_dynamic_partition(partitions_def_name, partition_key)
        if is_known:
            self._partitions_seen[partition] = time.monotonic()
        return is_known

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        self._partitions_seen.clear()
        super().delete_dynamic_partition(partitions_def_name, partition_key)

    def _close_soon(self, engine: Engine) -> None:
        """Closes a run's file once for statements that follow each other closely; the UI watches it for that change."""
        if engine in self._closing:
            return
        self._closing[engine] = timer = threading.Timer(CLOSE_AFTER_SECONDS, self._close, [engine])
        timer.daemon = True
        timer.start()

    def _close(self, engine: Engine) -> None:
        with self._db_lock:
            self._closing.pop(engine, None)
            engine.dispose()

    def close_files(self) -> None:
        """Closes the files of runs now, not soon."""
        for engine, timer in list(self._closing.items()):
            timer.cancel()
            timer.join()
            self._close(engine)

    def dispose(self) -> None:
        self.close_files()
        super().dispose()


_event_logs: WeakSet[_EventLog] = WeakSet()


@atexit.register
def _close_files_at_exit() -> None:
    for event_log in list(_event_logs):
        event_log.close_files()
    for engine in list(_engines.values()):
        engine.dispose()


class _Runs(SqliteRunStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string).connect() as connection, connection.begin():
            yield connection


class Storage(DagsterSqliteStorage):
    """The class that `storage: custom` in dagster.yaml names; `base_dir` is the Dagster home."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]
        home = Path(base_dir)
        self.base_dir = base_dir
        self._run_storage = _Runs.from_local(str(home / "history"))
        self._event_log_storage = _EventLog(str(home / "history" / "runs"))
        self._schedule_storage = SqliteScheduleStorage.from_local(str(home / "schedules"))
        self._inst_data = inst_data

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "Storage":
        return cls.from_local(inst_data=inst_data, **config_value)

    def dispose(self) -> None:
        super().dispose()
        for address in (
            self._event_log_storage.conn_string_for_shard(INDEX_SHARD_NAME),
            self._run_storage._conn_string,
        ):
            _engine(address).dispose()
