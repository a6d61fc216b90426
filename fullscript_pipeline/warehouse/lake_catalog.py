"""The PostgreSQL database that is the catalog of a lake: whether there is one, whose turn it is to write, TLS.

A turn is an advisory lock of a connection of its own, so PostgreSQL ends it with the process that has it. This module
is imported only where FULLSCRIPT_WAREHOUSE_URL names a lake. What does not belong here: tables and rows (`lake`).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError, ServiceUnavailable

# The schema of DuckLake's own tables: the state store and Dagster's history may be in the same database.
SCHEMA = "lake"
_CONNECT_SECONDS = 10
# A machine that disappears ends its turn within a minute.
_SESSION = "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
# The number of the advisory lock, the same for every process that writes a lake of this database.
_TURN = int.from_bytes(b"fulllake")
_HOLDER = """SELECT application_name, host(client_addr) FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = %s"""
_IS_OLDER = "SELECT min(snapshot_time) < now() - %s::interval FROM lake.ducklake_snapshot"
# Of a table, how many files are smaller than 10 MB, those with deleted rows among them.
_SMALL_FILES = """SELECT coalesce(max(files), 0) FROM (
    SELECT count(*) AS files FROM (
        SELECT table_id FROM lake.ducklake_data_file WHERE end_snapshot IS NULL AND file_size_bytes < 10000000
        UNION ALL SELECT table_id FROM lake.ducklake_delete_file WHERE end_snapshot IS NULL
    ) small GROUP BY table_id) tables"""
_READERS = """SELECT coalesce(array_agg(DISTINCT grantee::text), '{}') FROM information_schema.role_table_grants
    WHERE table_schema = %s AND privilege_type = 'SELECT' AND grantee <> current_user"""
# Of each column: what DuckLake says of the table, and of its present files that hold a value.
_EXTREMES = """SELECT s.table_id, s.column_id, c.column_type, s.min_value, s.max_value,
        array_agg(f.min_value) FILTER (WHERE f.value_count > f.null_count),
        array_agg(f.max_value) FILTER (WHERE f.value_count > f.null_count)
    FROM lake.ducklake_table_column_stats s JOIN lake.ducklake_column c USING (table_id, column_id)
    LEFT JOIN (lake.ducklake_file_column_stats f JOIN lake.ducklake_data_file d USING (data_file_id))
        ON (f.table_id, f.column_id) = (s.table_id, s.column_id) AND d.end_snapshot IS NULL
    WHERE c.end_snapshot IS NULL GROUP BY 1, 2, 3, 4, 5"""
_NARROW = """UPDATE lake.ducklake_table_column_stats SET min_value = %s, max_value = %s
    WHERE (table_id, column_id) = (%s, %s)"""
# How to order the catalog's texts of a value; texts, dates and times are in the order of their letters.
_IN_ORDER: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("int", "uint", "decimal", "hugeint"), Decimal),
}
_LOCK_NOT_AVAILABLE = "55P03"
# What PostgreSQL says to somebody whom it does not let in; an error while connecting has no SQLSTATE.
REFUSALS = ("authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied")


class LakeCatalog:
    """`address`: what psycopg2 and DuckDB hand to libpq: `dbname=... host=...` or `postgresql://...`."""

    def __init__(self, address: str) -> None:
        try:
            self._parts = parse_dsn(address)
        except psycopg2.ProgrammingError:
            raise ConfigurationError(
                "FULLSCRIPT_WAREHOUSE_URL names no database that PostgreSQL's library understands: write it as "
                "ducklake:postgres:dbname=DATABASE host=HOST user=USER."
            ) from None
        self.address = address
        self.place = f"{self._parts.get('dbname', '')} at {self._parts.get('host', 'this machine')}"

    def has_lake(self) -> bool:
        """Whether a lake's tables are there. Raises ServiceUnavailable or ConfigurationError without an answer."""
        return self._value("SELECT to_regclass(%s) IS NOT NULL", [f"{SCHEMA}.ducklake_metadata"]) is True

    def has_snapshot_older_than(self, interval: str) -> bool:
        """Whether the oldest snapshot is older than an interval of PostgreSQL (`20 hours`)."""
        return self._value(_IS_OLDER, [interval]) is True

    def most_small_files(self) -> int:
        """How many small files the table has that has the most of them."""
        return int(self._value(_SMALL_FILES))

    def narrow_statistics(self) -> None:
        """Sets a table's smallest and largest values to those of its files.

        DuckLake only widens them when a file is removed, so they would still say a name that was erased. Called in the
        writers' turn.
        """
        with self._cursor() as cursor:
            cursor.execute(_EXTREMES)
            for table, column, kind, smallest, largest, of_files_min, of_files_max in cursor.fetchall():
                order = next((of for name, of in _IN_ORDER.items() if str(kind).startswith(name)), str)
                values = [*(of_files_min or []), *(of_files_max or [])]
                if None in values or not values:
                    found = (None, None) if not values else (smallest, largest)
                else:
                    found = min(of_files_min, key=order), max(of_files_max, key=order)
                if found != (smallest, largest):
                    cursor.execute(_NARROW, [*found, table, column])

    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self._value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True

    def other_readers(self) -> list[str]:
        """The roles, besides this user, that were given rights to read the lake's own tables."""
        return list(self._value(_READERS, [SCHEMA]))

    def is_on_this_machine(self) -> bool:
        """Whether the server is reached by a socket or a loopback address."""
        host = str(self._parts.get("host", ""))
        return host in {"", "localhost", "::1"} or host.startswith(("127.", "/"))

    @contextmanager
    def writers_turn(self, seconds: float) -> Iterator[Callable[[], None]]:
        """Waits until nobody else writes; yields a function that raises ServiceUnavailable if the turn was lost.

        Raises Busy, naming the process that writes, when its turn does not end within `seconds`.
        """
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(f"SET lock_timeout = {max(1, int(seconds * 1000))}")
                cursor.execute("SELECT pg_advisory_lock(%s)", [_TURN])
            except psycopg2.Error as error:
                if error.pgcode != _LOCK_NOT_AVAILABLE:
                    raise self.told(error) from None
                cursor.execute(_HOLDER, [_TURN])
                name, machine = cursor.fetchone() or ("another process", None)
                raise Busy(
                    f"The lake in {self.place} is written by {name}{f' at {machine}' if machine else ''} and was not "
                    f"free within {seconds:.0f} s; let that process finish or stop it, then try again."
                ) from None

            def require_turn() -> None:
                try:
                    cursor.execute("SELECT 1")
                except psycopg2.Error as error:
                    raise self.told(error) from None

            yield require_turn

    def told(self, error: Exception) -> PipelineError:
        """The error to raise for one of PostgreSQL's; its text holds no password."""
        says = str(error).strip().partition("\n")[0]
        if any(words in says for words in REFUSALS):
            return ConfigurationError(
                f"The lake's catalog {self.place} refuses this process ({says}): correct FULLSCRIPT_WAREHOUSE_URL, or "
                "the rights of its user, who has to own the database or may create a schema in it."
            )
        return ServiceUnavailable(
            f"The lake's catalog {self.place} cannot be reached ({says}): start the database, or correct "
            "FULLSCRIPT_WAREHOUSE_URL, then run this again."
        )

    def _value(self, query: str, values: Sequence[str] = ()) -> Any:
        with self._cursor() as cursor:
            cursor.execute(query, values)
            row = cursor.fetchone()
        return row[0] if row else None

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with closing(self._connect()) as connection:
            try:
                yield connection.cursor()
            except psycopg2.Error as error:
                raise self.told(error) from None

    def _connect(self) -> Any:
        parts = {"connect_timeout": _CONNECT_SECONDS} | self._parts
        options = f"{self._parts.get('options', '')} {_SESSION}".strip()
        name = f"fullscript_pipeline process {os.getpid()}"
        try:
            connection = psycopg2.connect(**parts | {"options": options, "application_name": name})
        except psycopg2.Error as error:
            raise self.told(error) from None
        connection.autocommit = True
        return connection
