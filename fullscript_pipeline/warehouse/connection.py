"""Opens the warehouse: one DuckDB instance per process, with the file attached only while it is read or written.

Every attach, also of a reader, first takes a cross-process file lock with a bounded wait: while one process has a
DuckDB file open for writing, no other process can even read it. Pages are fetched with no file attached. What does not
belong here: tables, the SQL of a load, anything that fetches.
"""

import importlib.util
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.process_identity import ProcessIdentity
from fullscript_pipeline.warehouse import duckdb_errors, memory

MEMORY_LIMIT = f"{memory.USUAL_MB}MB"
LOCK_WAIT_SECONDS = 300.0
# After this long a wait is logged, so that a person at a terminal knows why nothing happens.
WARN_AFTER_SECONDS = 2.0
_ALIAS = "warehouse"
_log = logging.getLogger(__name__)


def _httpfs_extension() -> Path:
    """The extension file from the wheel. It holds the fast cipher for encrypted files; nothing may be downloaded."""
    spec = importlib.util.find_spec("duckdb_extension_httpfs")
    if spec is None or spec.origin is None:
        raise ConfigurationError("The package duckdb-extension-httpfs is missing; set the environment up with `make`.")
    return Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"


def _quoted_key(key: str) -> str:
    """Quotes a key for DuckDB, which reads it as bytes: ASCII stays as it is, others become `\\xC3\\xBC`."""
    return _quoted("".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02X}" for b in key.encode()))


def _quoted(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"


class Warehouse:
    """The DuckDB file of one data directory. All access goes through this class.

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
        self.path = path
        self._temp_dir = temp_dir or path.parent / "tmp"
        self._key = encryption_key
        self._lock_wait = lock_wait
        self._lock = FileLock(str(path) + ".lock", mode=0o600)
        self._holder = Path(str(path) + ".holder")
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._guard = threading.RLock()

    def sibling(self, path: Path, encryption_key: str | None) -> "Warehouse":
        """Returns another file, opened through the same DuckDB instance: a new instance takes a tenth of a second."""
        opened = Warehouse(path, encryption_key, lock_wait=self._lock_wait, temp_dir=self._temp_dir)
        opened._instance, opened._guard = self._connection(), self._guard
        return opened

    @property
    def key(self) -> str | None:
        """The key that the file is encrypted with; None for a plain file."""
        return self._key

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a connection to the file in read-only mode."""
        if not self.exists():
            raise duckdb_errors.no_warehouse_error(self.path)
        with self._attached(read_only=True) as con:
            yield con

    @contextmanager
    def read_unlocked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """As `read()`, for a file that no process writes (a backup). Takes no lock and creates no files next to it."""
        with self._guard, private_files():
            con = self._connection()
            self._attach(con, read_only=True)
            try:
                with self._explain_damage():
                    memory.set_usual_limit(con)
                    yield con
            finally:
                con.execute("USE memory")
                con.execute(f"DETACH {_ALIAS}")

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a connection in one transaction."""
        with self._attached(read_only=False) as con:
            con.execute("BEGIN")
            try:
                yield con
            except BaseException:
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")

    @contextmanager
    def maintain(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a writable connection without a transaction, for migrations and checkpoints."""
        with self._attached(read_only=False) as con:
            yield con

    @contextmanager
    def exclusive_file(self, *, checkpointed: bool = True) -> Iterator[Path]:
        """Yields the path, with the file locked and detached, to copy or replace it (`file_copies`)."""
        with self._guard, self._exclusively():
            if checkpointed and self.exists():
                with self._attached(read_only=False) as con:
                    con.execute(f"CHECKPOINT {_ALIAS}")
            yield self.path

    @contextmanager
    def read_with_target(
        self, path: Path, key: str | None, *, is_shared: bool = True
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a reading connection that also has a new file attached as `target`, to write a copy under another key.

        `is_shared` False: no process writes the warehouse, as in `read_unlocked()`.
        """
        with self.read() if is_shared else self.read_unlocked() as con:
            if key and not self._key:
                con.execute(f"LOAD {_quoted(_httpfs_extension())}")
            clause = f" (ENCRYPTION_KEY {_quoted_key(key)})" if key else ""
            try:
                con.execute(f"ATTACH {_quoted(path)} AS target{clause}")
                yield con
            finally:
                con.execute(f"USE {_ALIAS}")
                con.execute("DETACH DATABASE IF EXISTS target")

    @contextmanager
    def _explain_damage(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if duckdb_errors.is_damage(error):
                raise duckdb_errors.unreadable_file_error(self.path, error) from None
            raise

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        # Readers too: DuckDB spills to files what does not fit into memory.
        with self._guard, self._exclusively(), private_files():
            con = self._connection()
            self._attach(con, read_only=read_only)
            try:
                with self._explain_damage():
                    memory.set_usual_limit(con)
                    yield con
            finally:
                con.execute("USE memory")
                con.execute(f"DETACH {_ALIAS}")

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        try:
            self._lock.acquire(timeout=min(WARN_AFTER_SECONDS, self._lock_wait), poll_interval=0.05)
        except Timeout:
            self._warn_of_wait(f"process {self._holder_name()}")
        try:
            if not self._lock.is_locked:
                self._lock.acquire(timeout=self._lock_wait, poll_interval=0.05)
        except Timeout:
            raise Busy(
                f"The warehouse {self.path} is held by process {self._holder_name()} and was not free within "
                f"{self._lock_wait:.0f} s; let that process finish or stop it, then try again."
            ) from None
        try:
            self._holder.touch(mode=0o600)
            self._holder.write_text(str(ProcessIdentity.current()))
            yield
        finally:
            self._lock.release()

    def _warn_of_wait(self, holder: str) -> None:
        _log.warning("waiting up to %.0f s for the warehouse, which %s holds ...", self._lock_wait, holder)

    def _holder_name(self) -> str:
        try:
            recorded = self._holder.read_text()
        except OSError:
            return "unknown"
        holder = ProcessIdentity.parse(recorded)
        if holder is None:
            return recorded or "unknown"
        return f"{holder.pid} (of another container or machine)" if holder.is_alive() is None else str(holder.pid)

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._instance is None:
            self._temp_dir.mkdir(mode=0o700, exist_ok=True)
            con = duckdb.connect(
                ":memory:",
                config={
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "threads": "1",
                    "memory_limit": MEMORY_LIMIT,
                    "temp_directory": str(self._temp_dir),
                    "temp_file_encryption": "true" if self._key else "false",
                },
            )
            con.execute("SET TimeZone = 'UTC'")
            # DuckDB turns it on when it takes the process for a prompt (a forked one, too), and prints into our output.
            con.execute("SET enable_progress_bar = false")
            if self._key:
                con.execute(f"LOAD {_quoted(_httpfs_extension())}")
            self._instance = con
        return self._instance

    def _attach(self, con: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        options = [f"ENCRYPTION_KEY {_quoted_key(self._key)}"] if self._key else []
        if read_only:
            options.append("READ_ONLY")
        clause = f" ({', '.join(options)})" if options else ""
        self._retry_until_free(lambda: con.execute(f"ATTACH {_quoted(self.path)} AS {_ALIAS}{clause}"))
        con.execute(f"USE {_ALIAS}")

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
                    self._warn_of_wait(duckdb_errors.holder_name_in(error))
                if time.monotonic() > began + self._lock_wait:
                    raise duckdb_errors.open_elsewhere_error(self.path, error) from None
                time.sleep(0.2)
            except (duckdb.InvalidInputException, duckdb.CatalogException, duckdb.BinderException) as error:
                raise duckdb_errors.key_error(self.path, self._key, error) from None
