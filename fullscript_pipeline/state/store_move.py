"""Moves a state store to another database, row by row, and closes the one that it came from.

Two stores that both renew tokens would invalidate each other's, so the former one is marked in the transaction that it
is copied in: from then on, every process that opens or writes it gets an error that names the new place. A move that
was interrupted is begun again by the same call. What does not belong here: which databases there are (`opening`), what
a row means.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, Table, func, select, text

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state.database import Database, insert_into
from fullscript_pipeline.state.schema import clinics, events, facts, metadata, purged_ids, webhook_inbox

_MOVED_TO, _ARRIVING_FROM = "moved_to", "arriving_from"
_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, kw_only=True)
class MovedTable:
    """A table that was copied, and how many rows it has; both databases gave the same digest of them."""

    name: str
    rows: int


def refuse_moved_store(connection: Connection, place: str) -> None:
    """Raises ConfigurationError if the store was moved to another place, or a move to it has not been completed."""
    marks = _marks(connection)
    if _MOVED_TO in marks:
        raise ConfigurationError(
            f"The state store {place} was moved to {marks[_MOVED_TO]} and is closed: set FULLSCRIPT_STATE_URL to that "
            "address (or unset it, if that is the data directory's file)."
        )
    if _ARRIVING_FROM in marks:
        raise ConfigurationError(
            f"The move of a state store from {marks[_ARRIVING_FROM]} to {place} has not been completed: run the same "
            "`fullscript-pipeline migrate-store` again."
        )


def move_store(source: Database, target: Database) -> list[MovedTable]:
    """Copies all tables to `target`, compares them, and closes `source`. Both are of the newest schema.

    Raises ConfigurationError if `target` is in use, or `source` was moved elsewhere.
    """
    with source.write() as reading:
        moved_to = _marks(reading).get(_MOVED_TO)
        with target.write() as writing:
            if moved_to is None:
                _require_replaceable(writing, target.place)
                _copy_tables(reading, writing)
                _set_mark(writing, _ARRIVING_FROM, source.place)
            elif (moved_to, _marks(writing).get(_ARRIVING_FROM)) != (target.place, source.place):
                raise ConfigurationError(f"The state store {source.place} was moved to {moved_to} already.")
            moved = [_compare(reading, writing, table) for table in metadata.sorted_tables]
        # The source is closed only after the target is complete, and the target opens only after the source is closed.
        if moved_to is None:
            _set_mark(reading, _MOVED_TO, target.place)
    with target.write() as writing:
        writing.execute(facts.delete().where(facts.c.name == _ARRIVING_FROM))
    return moved


def _copy_tables(reading: Connection, writing: Connection) -> None:
    for table in metadata.sorted_tables:
        writing.execute(table.delete())
        _copy_rows(reading, writing, table)
        _copy_last_number(reading, writing, table)


def _marks(connection: Connection) -> dict[str, str]:
    of_moves = facts.c.name.in_((_MOVED_TO, _ARRIVING_FROM))
    return {str(name): str(value) for name, value in connection.execute(select(facts).where(of_moves))}


def _set_mark(connection: Connection, name: str, place: str) -> None:
    connection.execute(insert_into(connection, facts).values(name=name, value=place))


def _require_replaceable(connection: Connection, place: str) -> None:
    """A store that nobody has used yet, or the former one of an earlier move, may be replaced."""
    if _marks(connection):
        return
    used = (clinics, events, webhook_inbox, purged_ids)
    if any(connection.execute(select(table).limit(1)).first() for table in used):
        raise ConfigurationError(
            f"The state store {place} is in use, and would be overwritten: name an empty database, or one whose store "
            "was moved away."
        )


def _rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """All rows in the order of the primary key, without the marks of a move."""
    query = select(table).order_by(*table.primary_key.columns)
    if table is facts:
        query = query.where(facts.c.name.not_in((_MOVED_TO, _ARRIVING_FROM)))
    rows = connection.execute(query, execution_options={"yield_per": _ROWS_AT_A_TIME})
    return (tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows)


def _copy_rows(reading: Connection, writing: Connection, table: Table) -> None:
    names = [column.name for column in table.columns]
    batch: list[dict[str, Any]] = []
    for row in _rows(reading, table):
        batch.append(dict(zip(names, row, strict=True)))
        if len(batch) == _ROWS_AT_A_TIME:
            writing.execute(table.insert(), batch)
            batch = []
    if batch:
        writing.execute(table.insert(), batch)


def _compare(reading: Connection, writing: Connection, table: Table) -> MovedTable:
    (rows, digest), copied = _count_and_digest(reading, table), _count_and_digest(writing, table)
    if (rows, digest) != copied:
        raise ConfigurationError(
            f"The table {table.name} was not copied exactly ({rows:,} rows here, {copied[0]:,} there), so nothing was "
            "moved: please report it."
        )
    return MovedTable(name=table.name, rows=rows)


def _count_and_digest(connection: Connection, table: Table) -> tuple[int, str]:
    rows, digest = 0, hashlib.sha256()
    for row in _rows(connection, table):
        rows += 1
        digest.update(repr(row).encode())
    return rows, digest.hexdigest()


def _copy_last_number(reading: Connection, writing: Connection, table: Table) -> None:
    """Numbers go on where they were: none is given twice, also not that of a row that was deleted."""
    if (column := _numbered_column(table)) is None:
        return
    names = {"table": table.name, "column": column, "last": _last_number(reading, table, column)}
    if writing.dialect.name == "sqlite":
        writing.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), names)
        writing.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"), names)
    else:
        # The number after 0 is 1: a sequence cannot be set to 0, but to a 1 that has not been given.
        given = text("SELECT setval(pg_get_serial_sequence(:table, :column), greatest(:last, 1), :last > 0)")
        writing.execute(given, names)


def _last_number(connection: Connection, table: Table, column: str) -> int:
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    else:
        query = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :column)::regclass)")
    given = connection.execute(query, {"table": table.name, "column": column}).scalar()
    present = connection.execute(select(func.max(table.c[column]))).scalar()
    return max(int(given or 0), int(present or 0))


def _numbered_column(table: Table) -> str | None:
    """The column that the database numbers: a whole number that alone is the primary key."""
    columns = list(table.primary_key.columns)
    return columns[0].name if len(columns) == 1 and isinstance(columns[0].type, Integer) else None
