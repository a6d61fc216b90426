"""A warehouse that several machines share: a DuckLake, of encrypted files in a folder or bucket and a catalog.

Readers see what was committed last and wait for nobody. Writers take turns, from before their transaction begins: of
two transactions that delete from one table and insert into it, DuckLake lets one fail (docs/decisions/082). The lake
stays attached, because to attach it takes half a second. What does not belong here: who is in the catalog's database
(`lake_catalog`), any table.
"""

import logging
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import duckdb

from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.private_files import private_files
from fullscript_pipeline.warehouse.attachment import ALIAS
from fullscript_pipeline.warehouse.connection import KEEP_SNAPSHOTS, LOCK_WAIT_SECONDS, Warehouse
from fullscript_pipeline.warehouse.duckdb_errors import end_query, no_lake_error
from fullscript_pipeline.warehouse.duckdb_sql import extension_file, quoted
from fullscript_pipeline.warehouse.lake_catalog import SCHEMA, LakeCatalog
from fullscript_pipeline.warehouse.lake_place import LakePlace, explained, secret_of_bucket
from fullscript_pipeline.warehouse.memory import keep_for_uploads

_EXTENSIONS = ("httpfs", "ducklake", "postgres_scanner")
TIDY_AFTER = "20 hours"
# A statement asks the bucket for every file of a table that it reads: with 250 files, each of a clinic-day's forty
# statements that read `ops.pulls` took a fifth of a second.
MANY_FILES = 100
_log = logging.getLogger(__name__)


class Lake(Warehouse):
    """`path`: where a warehouse file would be. Landed pages, which `encryption_key` is for, are beside it.

    Whoever reads the catalog can read the lake: DuckLake keeps the keys of its files there.
    """

    def __init__(
        self,
        at: LakePlace,
        path: Path,
        encryption_key: str | None,
        *,
        requires_tls: bool = False,
        lock_wait: float = LOCK_WAIT_SECONDS,
    ) -> None:
        super().__init__(path, encryption_key, lock_wait=lock_wait)
        self._catalog = LakeCatalog(at.catalog)
        self._at, self._requires_tls = at, requires_tls
        self._guard = threading.RLock()
        self._con: duckdb.DuckDBPyConnection | None = None
        self._uses = 0
        self._is_made = False
        self._require_turn: Callable[[], None] = _nothing
        _lakes.add(self)

    @property
    def catalog(self) -> LakeCatalog:
        return self._catalog

    @property
    def place(self) -> str:
        return self._catalog.place

    def exists(self) -> bool:
        self._is_made = self._is_made or self._catalog.has_lake()
        return self._is_made

    def identity(self) -> Hashable | None:
        return self._at.catalog if self.exists() else None

    def missing(self) -> ConfigurationError:
        return no_lake_error(self._catalog.place)

    @contextmanager
    def read_unlocked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """As `read()`: readers of a lake never wait."""
        with self.read() as con:
            yield con

    @contextmanager
    def exclusive_file(self, *, checkpointed: bool = True) -> Iterator[Path]:
        """Excludes this machine's other commands that write files beside the warehouse; the lake is not locked."""
        self._lock.acquire()
        try:
            yield self.path
        finally:
            self._lock.release()

    @contextmanager
    def read_with_target(
        self, path: Path, key: str | None, *, is_shared: bool = True
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yields a reading connection that also has a new file attached as `target`."""
        with self._guard, private_files(), explained(self._at, self._catalog):
            con = self._open()
            self.attach_file(con, "target", path, key)
            try:
                with self._attached(read_only=True):
                    yield con
            except BaseException:
                with suppress(duckdb.Error):
                    con.execute("DETACH DATABASE target")
                raise
            # What it holds is whole in the file only after this, so a failure counts.
            con.execute("DETACH DATABASE target")

    def settle(self, con: duckdb.DuckDBPyConnection) -> None:
        """Nothing: a commit is whole in the catalog, and CHECKPOINT would rewrite the lake."""

    def erase_deleted(self) -> None:
        """Rewrites the files that hold deleted rows, and removes every snapshot and file but the present ones."""
        with self.maintain() as con:
            self._tidy(con, "older_than => now()", "cleanup_all => true")
            self._catalog.narrow_statistics()
        # What this process remembers of them would be written again.
        self.close_if_unused()

    def has_many_files(self) -> bool:
        """Whether a table has MANY_FILES small files, so that reading it takes long."""
        return self.exists() and self._catalog.most_small_files() >= MANY_FILES

    def tidy(self, *, only_if_due: bool = False) -> int | None:
        """Joins small files, and removes snapshots and files of KEEP_SNAPSHOTS ago. Returns how many files are left.

        `only_if_due`: what prevents it is told in the log and not raised, because other clinics are still to be pulled.
        """
        if not only_if_due:
            return self._tidy_now() if self.exists() else None
        try:
            return self._tidy_now() if self.exists() and self._is_tidy_due() else None
        except (PipelineError, duckdb.Error) as error:
            # DuckDB's text may quote a value.
            why = error if isinstance(error, PipelineError) else type(error).__name__
            _log.warning("The lake was not tidied; the next run tries again. %s", why)
            return None

    def _tidy_now(self) -> int:
        with self.maintain() as con:
            older = f"older_than => now() - INTERVAL '{KEEP_SNAPSHOTS}'"
            self._tidy(con, older, older)
            files = con.execute("SELECT sum(file_count + delete_file_count) FROM ducklake_table_info('warehouse')")
            return int((files.fetchone() or (0,))[0] or 0)

    def _is_tidy_due(self) -> bool:
        return self._catalog.has_snapshot_older_than(TIDY_AFTER) or self.has_many_files()

    def _tidy(self, con: duckdb.DuckDBPyConnection, old_snapshots: str, old_files: str) -> None:
        """What no snapshot needs any more is scheduled by one statement, and removed by a later one."""
        for statement in (
            f"CALL ducklake_expire_snapshots('{ALIAS}', {old_snapshots})",
            f"CALL ducklake_rewrite_data_files('{ALIAS}', delete_threshold => 0)",
            f"CALL ducklake_merge_adjacent_files('{ALIAS}')",
            f"CALL ducklake_expire_snapshots('{ALIAS}', {old_snapshots})",
            f"CALL ducklake_cleanup_old_files('{ALIAS}', {old_files})",
            f"CALL ducklake_delete_orphaned_files('{ALIAS}', {old_files})",
        ):
            self._require_turn()
            con.execute(statement)

    def _before_commit(self) -> None:
        self._require_turn()

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._guard, private_files(), explained(self._at, self._catalog):
            if self._uses:
                yield self._open()
                return
            turn = nullcontext(_nothing) if read_only else self._catalog.writers_turn(self._lock_wait)
            with turn as self._require_turn:
                con = self._open()
                self._uses += 1
                try:
                    with _snapshot(con) if read_only else nullcontext():
                        yield con
                except duckdb.Error:
                    # Perhaps the catalog has closed its connections.
                    self._close()
                    raise
                finally:
                    self._uses -= 1
        self._is_made = True

    def _open(self) -> duckdb.DuckDBPyConnection:
        """The attached lake; a connection that the catalog has closed meanwhile is replaced."""
        if self._con is not None and not self._uses and not _answers(self._con):
            self._close()
        if self._con is None:
            self._con = self._attach_lake()
        return self._con

    def _attach_lake(self) -> duckdb.DuckDBPyConnection:
        if self._requires_tls and not (self._catalog.uses_tls() or self._catalog.is_on_this_machine()):
            raise ConfigurationError(
                f"The lake's catalog {self.place} is reached without TLS, and names of real patients would be in it: "
                "add `sslmode=verify-full` to FULLSCRIPT_WAREHOUSE_URL, and TLS to the server."
            )
        con = self._connect(encrypts_spill=True)
        for name in _EXTENSIONS:
            con.execute(f"LOAD {quoted(extension_file(name))}")
        if self._at.files.startswith("s3://"):
            con.execute(secret_of_bucket(self._at.files))
        else:
            Path(self._at.files).mkdir(mode=0o700, parents=True, exist_ok=True)
        keep_for_uploads(con)
        con.execute(
            f"ATTACH {quoted(f'ducklake:postgres:{self._at.catalog}')} AS {ALIAS} (DATA_PATH "
            f"{quoted(self._at.files)}, METADATA_SCHEMA '{SCHEMA}', ENCRYPTED, DATA_INLINING_ROW_LIMIT 0)"
        )
        con.execute(f"USE {ALIAS}")
        return con

    def _close(self) -> None:
        con, self._con = self._con, None
        if con is not None:
            with suppress(duckdb.Error):
                con.close()

    def close_if_unused(self) -> None:
        """Closes the catalog's connections unless a thread uses them: before a fork, whose child would share them."""
        if self._guard.acquire(blocking=False):
            try:
                if not self._uses:
                    self._close()
            finally:
                self._guard.release()

    def forget_connection(self) -> None:
        """In a forked child: what is attached belongs to the parent, and is neither used nor closed here."""
        if self._con is not None:
            _of_parent.append(self._con)
        self._con, self._uses, self._guard = None, 0, threading.RLock()


_lakes: "WeakSet[Lake]" = WeakSet()
# Connections that a forked process has from its parent: to close one would end it for the parent, too.
_of_parent: list[Any] = []


def _nothing() -> None:
    """There is no turn to keep."""


@contextmanager
def _snapshot(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute("BEGIN")
    try:
        yield
    except BaseException as error:
        end_query(con, error)
        with suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


def _answers(con: duckdb.DuckDBPyConnection) -> bool:
    try:
        con.execute(f"FROM {ALIAS}.current_snapshot()")
    except duckdb.Error:
        return False
    return True


def _close_lakes() -> None:
    for lake in list(_lakes):
        lake.close_if_unused()


def _forget_connections() -> None:
    for lake in list(_lakes):
        lake.forget_connection()


os.register_at_fork(before=_close_lakes, after_in_child=_forget_connections)
