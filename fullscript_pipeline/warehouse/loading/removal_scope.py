"""The stored rows that a complete listing covers: a covered row that the listing lacks is gone.

Ids from a server never become SQL text: they are registered in DuckDB as a relation. What does not belong here: whether
a listing is complete (`extraction`), what happens to missing rows (`merge`, `mass_deletion_guard`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources.types import Table

_IDS = "among_ids"
_DAYS = "among_days"


@dataclass(frozen=True, kw_only=True)
class Among:
    """Stored rows: all of the scope, or those whose `column` is one of `ids` or a day from `first` to `last`.

    `first` or `last` None: no bound. `owners`: also the rows whose owner (the row of that table that `column` names) is
    removed.
    """

    column: str | None = None
    ids: Sequence[str] = ()
    owners: Table | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_everything(self) -> bool:
        return self.column is None


EVERYTHING = Among()


def rows_of(column: str, ids: Sequence[str]) -> Among | None:
    """The rows of these ids; None for no ids, because then nothing was listed."""
    return Among(column=column, ids=ids) if ids else None


def rows_between(column: str, first: date | None, last: date | None) -> Among:
    """The rows of these days, ends included."""
    return Among(column=column, first=first, last=last) if first or last else EVERYTHING


@contextmanager
def condition(con: duckdb.DuckDBPyConnection, among: Among) -> Iterator[str]:
    """Yields the SQL condition that a stored row `s` is covered; its ids are registered within the block."""
    if among.column is None:
        yield "true"
        return
    con.register(_IDS, pa.table({"id": pa.array(among.ids, pa.string())}))
    con.register(_DAYS, pa.table({"first": [among.first], "last": [among.last]}, pa.schema(_BOUNDS)))
    try:
        yield _condition(among.column, among)
    finally:
        con.unregister(_IDS)
        con.unregister(_DAYS)


_BOUNDS = [("first", pa.date32()), ("last", pa.date32())]


def _condition(column: str, among: Among) -> str:
    if among.first or among.last:
        lower = f"s.{column} >= (SELECT first FROM {_DAYS})" if among.first else "true"
        upper = f"s.{column} <= (SELECT last FROM {_DAYS})" if among.last else "true"
        return f"{lower} AND {upper}"
    listed = f"s.{column} IN (SELECT id FROM {_IDS})"
    if among.owners is None:
        return listed
    scope, key = among.owners.scope_column, among.owners.key[-1]
    owner = (
        f"SELECT 1 FROM core.{among.owners.name} o WHERE o.{scope} = s.{scope} AND o.{key} = s.{column} "
        "AND o.removed_at IS NULL"
    )
    return f"({listed} OR NOT EXISTS ({owner}))"
