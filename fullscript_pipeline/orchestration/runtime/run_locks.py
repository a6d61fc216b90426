"""The locks of a run's process, by which others see whether it lives: a file's, and one on PostgreSQL.

The file is in the instance's home, for other containers of this machine. The lock on PostgreSQL is for every machine:
the process holds it by a connection of its own, so the server releases it when the process or its machine dies. Where
Dagster's history is in files there is none. What does not belong here: what follows from a process that is gone
(`orphans`).
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg

from fullscript_pipeline.private_files import make_private_folder

_LOCKS = "headless"
# The process looks this often whether its connection still holds the lock, and takes it again after an interruption.
LOOK_SECONDS = 3.0
# A lock that is free is looked at again after this time: the server may have been restarted meanwhile.
LOOK_AGAIN_SECONDS = 8.0
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_SIGN_OF_LIFE = "SELECT %s IS NOT NULL"
_IS_HELD = """SELECT EXISTS (SELECT FROM pg_locks, hashtextextended(%s, 0) AS number
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32 | objid::bigint) = number)"""
# A machine that disappears releases its locks within a minute.
_SESSION = "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
_CONNECT_SECONDS = 10


@contextmanager
def held_by_this_process(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Holds the run's locks. System and server release them when this process dies for any reason.

    The run is tagged within the block only: who sees the tag may rely on the locks.
    """
    path = _lock_path(instance, run_id)
    make_private_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):  # a file system without locks: the tag alone decides
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _held_on_postgres(instance, run_id):
            yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def is_held(instance: dg.DagsterInstance, run_id: str, *, is_on_this_machine: bool) -> bool | None:
    """Whether a living process holds the run's locks; None when that cannot be seen from here."""
    held = _is_locked(_lock_path(instance, run_id)) if is_on_this_machine else None
    return _is_held_on_postgres(instance, run_id) if held is None else held


def remove_lock(instance: dg.DagsterInstance, run_id: str) -> None:
    """Removes the file of a process that is gone."""
    _lock_path(instance, run_id).unlink(missing_ok=True)


@contextmanager
def _held_on_postgres(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Holds the run's lock, if the instance is on PostgreSQL."""
    address = _address(instance)
    if address is None:
        yield
        return
    holder = _Holder(address, run_id)
    try:
        yield
    finally:
        holder.close()


def _is_held_on_postgres(instance: dg.DagsterInstance, run_id: str) -> bool | None:
    """Whether a living process holds the run's lock; None: the instance is not on PostgreSQL."""
    address = _address(instance)
    if address is None:
        return None
    if _is_held_at(address, run_id):
        return True
    time.sleep(LOOK_AGAIN_SECONDS)
    return _is_held_at(address, run_id)


class _Holder:
    """Holds the lock from the start on, in a thread that takes it again when the connection was lost."""

    def __init__(self, address: str, run_id: str) -> None:
        self._address, self._name = address, _name_of(run_id)
        self._ending = threading.Event()
        self._connection: Any = None
        self._has_lock = False
        self._look()
        self._thread = threading.Thread(target=self._watch, name=f"lock of run {run_id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._forget()

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        """Takes the lock, or asks the connection that holds it for a sign of life."""
        import psycopg2  # noqa: PLC0415 - only where the instance is on PostgreSQL

        try:
            if self._connection is None:
                self._connection = _connect(self._address)
            # The server may not have noticed yet that an earlier connection of ours is gone.
            with self._connection.cursor() as cursor:
                cursor.execute(_SIGN_OF_LIFE if self._has_lock else _TAKE, [self._name])
                (self._has_lock,) = cursor.fetchone()
        except psycopg2.Error:
            self._forget()

    def _forget(self) -> None:
        connection, self._connection, self._has_lock = self._connection, None, False
        if connection is not None:
            connection.close()


def _is_held_at(address: str, run_id: str) -> bool:
    with closing(_connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(_IS_HELD, [_name_of(run_id)])
        (is_held,) = cursor.fetchone()
    return bool(is_held)


def _name_of(run_id: str) -> str:
    return f"fullscript_pipeline run {run_id}"


def _address(instance: dg.DagsterInstance) -> str | None:
    return getattr(instance.run_storage, "postgres_url", None)


def _connect(address: str) -> Any:
    import psycopg2  # noqa: PLC0415 - only where the instance is on PostgreSQL

    connection = psycopg2.connect(
        address.replace("postgresql+psycopg2:", "postgresql:", 1),
        connect_timeout=_CONNECT_SECONDS,
        tcp_user_timeout=_CONNECT_SECONDS * 1000,
        application_name="fullscript_pipeline run",
    )
    connection.autocommit = True
    connection.cursor().execute(_SESSION)
    return connection


def _is_locked(path: Path) -> bool | None:
    """Whether a living process holds the lock; None when unknown."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(handle)


def _lock_path(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory) / _LOCKS / f"{run_id}.lock"
