"""Dagster's SQLite storage with reused database engines.

Dagster makes a new engine for every statement: it connects, compiles, waits for the disk and closes, some 900 times
in a clinic's day. Here engines are reused. Files and tables stay Dagster's own, so an instance can switch between the
two storages (`storage` in dagster.yaml). The private names are pinned with Dagster's version, and every test run uses
them. What does not belong here: anything that changes what is stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event


@lru_cache(maxsize=8)
def _engine(address: str, *, stays_open: bool) -> Engine:
    """A reused engine with its compiled statements. The cache is small, because the UI opens a file per run."""
    engine = create_engine(
        address,
        poolclass=QueuePool if stays_open else NullPool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _wait_less)
    return engine


def _wait_less(connection: Any, _: object) -> None:
    """In WAL mode, a power cut may then lose the last events of a run, but never damage the file or pipeline data."""
    connection.execute("PRAGMA synchronous = NORMAL")


class _EventLog(SqliteEventLogStorage):
    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # A run's file is closed after each statement: the UI watches the file for that change.
        engine = _engine(self.conn_string_for_shard(shard), stays_open=shard == INDEX_SHARD_NAME)
        with self._db_lock:
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection


class _Runs(SqliteRunStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string, stays_open=True).connect() as connection, connection.begin():
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
            _engine(address, stays_open=True).dispose()
