"""Opens the warehouse: one DuckDB instance per process, with the file attached while it is read or written.

Every attach, also of a reader, first takes a cross-process file lock with a bounded wait: while one process has a
DuckDB file open for writing, no other process can even read it. Between two uses the file stays attached only while no
other process waits (`attachment`). What does not belong here: tables, the SQL of a load, anything that fetches.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.machine_errors import stop_signal_in
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.warehouse import duckdb_errors, memory
from fullscript_pipeline.warehouse.attachment import ALIAS, WARN_AFTER_SECONDS, Attachment, WarehouseLock
from fullscript_pipeline.warehouse.duckdb_sql import extension_file, quoted, quoted_key

MEMORY_LIMIT = f"{memory.USUAL_MB}MB"
LOCK_WAIT_SECONDS = 300.0
# Of a lake: a reader may go on reading what was replaced for so long; then its files are removed.
KEEP_SNAPSHOTS = "1 hour"


class CheckedCatalog(Protocol):
    """What a check asks of a lake's catalog (`lake_catalog`)."""

    place: str

    def uses_tls(self) -> bool: ...
    def is_on_this_machine(self) -> bool: ...
    def other_readers(self) -> list[str]: ...


class Warehouse:
    """The DuckDB file of one data directory. All access goes through this class, or through its heir `lake.Lake`.

    `read()` and `write()` yield a connection whose default catalog is the warehouse. `write()` is one transaction: it
    commits when the block ends and rolls back when the block raises. Both raise Busy (exit 75, naming the holder) when
    another process holds the file for longer than `lock_wait` seconds.
    """

    def __init__(
        self,
        path: Path,
        encryption_key: str | None = None,
        *,
        lock_wait: float = LOCK_WAIT_SECONDS,
        temp_dir: Path | None = None,
    ) -> None:
        # Its locks are taken again later, when the process may have another working directory.
        self.path = path.absolute()
        self._temp_dir = temp_dir or self.path.parent / "tmp"
        self._key = encryption_key
        self._lock_wait = lock_wait
        self._lock = WarehouseLock(self.path, lock_wait)
        self._opening = threading.Lock()
        self._attachment: Attachment | None = None

    def sibling(self, path: Path, encryption_key: str | None) -> "Warehouse":
        """Returns another file, opened through the same DuckDB instance: a new instance takes a tenth of a second."""
        opened = Warehouse(path, encryption_key, lock_wait=self._lock_wait, temp_dir=self._temp_dir)
        opened._attachment = self._instance()
        return opened

    @property
    def catalog(self) -> CheckedCatalog | None:
        """The database that says which files a lake has; None for a file."""
        return None

    @property
    def place(self) -> str:
        """Where it is, for sentences."""
        return str(self.path)

    @property
    def key(self) -> str | None:
        """The key that the file is encrypted with; None for a plain file."""
        return self._key

    def exists(self) -> bool:
        return self.path.exists()

    def identity(self) -> Hashable | None:
        """A value that changes when another warehouse replaces this one (a restore); None while there is none."""
        return (self.path, self.path.stat().st_ino) if self.exists() else None

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a connection to the file in read-only mode."""
        if not self.exists():
            raise self.missing()
        with self._attached(read_only=True) as con:
            yield con

    def missing(self) -> ConfigurationError:
        """The error to raise where there is none yet."""
        return duckdb_errors.no_warehouse_error(self.path)

    @contextmanager
    def read_unlocked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """As `read()`, for a file that no process writes (a backup). Takes no lock and creates no files next to it."""
        instance = self._instance()
        with instance.guard, private_files():
            instance.detach()
            instance.detach_elsewhere(self.path)
            self._attach(instance.con, read_only=True)
            try:
                with self._explain_damage():
                    memory.set_usual_limit(instance.con)
                    yield instance.con
            finally:
                instance.con.execute("USE memory")
                instance.con.execute(f"DETACH {ALIAS}")

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a connection in one transaction."""
        with self._attached(read_only=False) as con:
            con.execute("BEGIN")
            try:
                yield con
                self._before_commit()
            except BaseException as error:
                duckdb_errors.end_query(con, error)
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")

    def _before_commit(self) -> None:
        """Raises an error where the transaction must not be committed any more."""

    def settle(self, con: duckdb.DuckDBPyConnection) -> None:
        """Brings what was committed into the file itself: a kill after some DDL has left a log that cannot be read."""
        con.execute(f"CHECKPOINT {ALIAS}")

    def erase_deleted(self) -> None:
        """Rewrites the whole file, so that deleted rows are gone for good: DuckDB leaves them in free blocks."""
        fresh = self.path.with_name(f".{self.path.name}.rewriting")
        fresh.unlink(missing_ok=True)
        with self.exclusive_file() as path:
            with self.read_with_target(fresh, self._key) as con:
                con.execute(f"COPY FROM DATABASE {ALIAS} TO target")
            fresh.replace(path)

    def has_many_files(self) -> bool:
        """Whether a table of a lake has so many small files that reading it takes long."""
        return False

    def tidy(self, *, only_if_due: bool = False) -> int | None:
        """Does what a lake needs; `only_if_due`: once a day, or when it has many files. None: nothing was done."""
        return None

    @contextmanager
    def maintain(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a writable connection without a transaction, for migrations and checkpoints."""
        with self._attached(read_only=False) as con:
            yield con

    @contextmanager
    def exclusive_file(self, *, checkpointed: bool = True) -> Iterator[Path]:
        """Yields the path, with the file locked and detached, to copy or replace it (`file_copies`)."""
        instance = self._instance()
        with instance.guard:
            instance.detach()
            instance.detach_elsewhere(self.path)
            self._lock.acquire()
            try:
                if checkpointed and self.exists():
                    with self._attached(read_only=False) as con:
                        con.execute(f"CHECKPOINT {ALIAS}")
                    instance.detach()
                yield self.path
            finally:
                self._lock.release()

    @contextmanager
    def read_with_target(
        self, path: Path, key: str | None, *, is_shared: bool = True
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a reading connection that also has a new file attached as `target`, to write a copy under another key.

        `is_shared` False: no process writes the warehouse, as in `read_unlocked()`.
        """
        with self.read() if is_shared else self.read_unlocked() as con:
            try:
                self.attach_file(con, "target", path, key)
                yield con
            finally:
                con.execute(f"USE {ALIAS}")
                con.execute("DETACH DATABASE IF EXISTS target")

    def attach_file(
        self, con: duckdb.DuckDBPyConnection, name: str, path: Path, key: str | None, *, is_read_only: bool = False
    ) -> None:
        """Attaches another file, new or not, to an open connection."""
        if key and not self._key:
            con.execute(f"LOAD {quoted(extension_file('httpfs'))}")
        options = [*([f"ENCRYPTION_KEY {quoted_key(key)}"] if key else []), *(["READ_ONLY"] if is_read_only else [])]
        clause = f" ({', '.join(options)})" if options else ""
        con.execute(f"ATTACH {quoted(path)} AS {name}{clause}")

    @contextmanager
    def _explain_damage(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if duckdb_errors.is_damage(error):
                raise duckdb_errors.unreadable_file_error(self.path, error) from None
            raise
        except RuntimeError as error:
            if stop := stop_signal_in(error):
                raise stop from None
            raise

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        # Readers too make files private: DuckDB spills to files what does not fit into memory.
        instance = self._instance()
        with self._explain_damage(), instance.guard, private_files():
            con = instance.con
            if not instance.is_attached(self.path, read_only=read_only):
                instance.take(
                    self.path, self._lock, lambda: self._attach(con, read_only=read_only), read_only=read_only
                )
            try:
                con.execute(f"USE {ALIAS}")
                if instance.has_new_rows:
                    instance.is_large = memory.set_usual_limit(con) > memory.USUAL_MB
                instance.has_new_rows = not read_only
                yield con
                con.execute("USE memory")
            except BaseException as error:
                duckdb_errors.end_query(con, error)
                instance.detach()
                raise
            instance.keep()

    def _instance(self) -> Attachment:
        with self._opening:
            if self._attachment is None:
                self._attachment = Attachment(self._connect(encrypts_spill=bool(self._key)))
            return self._attachment

    def _connect(self, *, encrypts_spill: bool) -> duckdb.DuckDBPyConnection:
        self._temp_dir.mkdir(mode=0o700, exist_ok=True)
        con = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "threads": "1",
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(self._temp_dir),
                "temp_file_encryption": "true" if encrypts_spill else "false",
            },
        )
        con.execute("SET TimeZone = 'UTC'")
        # DuckDB turns it on when it takes the process for a prompt (a forked one, too), and prints into our output.
        con.execute("SET enable_progress_bar = false")
        if self._key:
            con.execute(f"LOAD {quoted(extension_file('httpfs'))}")
        return con

    def _attach(self, con: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        options = [f"ENCRYPTION_KEY {quoted_key(self._key)}"] if self._key else []
        if read_only:
            options.append("READ_ONLY")
        clause = f" ({', '.join(options)})" if options else ""
        self._retry_until_free(lambda: con.execute(f"ATTACH {quoted(self.path)} AS {ALIAS}{clause}"))
        con.execute(f"USE {ALIAS}")

    def _retry_until_free(self, attach: Callable[[], object]) -> None:
        """Retries while a program that ignores our lock (a notebook, the DuckDB shell) has the file open."""
        began, has_warned = time.monotonic(), False
        while True:
            try:
                attach()
                return
            except duckdb.IOException as error:
                if duckdb_errors.is_damage(error) or "lock" not in str(error).lower():
                    raise duckdb_errors.unreadable_file_error(self.path, error) from None
                if not has_warned and time.monotonic() > began + WARN_AFTER_SECONDS:
                    has_warned = True
                    self._lock.warn_of_wait(duckdb_errors.holder_name_in(error))
                if time.monotonic() > began + self._lock_wait:
                    raise duckdb_errors.open_elsewhere_error(self.path, error) from None
                time.sleep(0.2)
            except (duckdb.InvalidInputException, duckdb.CatalogException, duckdb.BinderException) as error:
                raise duckdb_errors.key_error(self.path, self._key, error) from None
