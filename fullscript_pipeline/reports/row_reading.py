"""Reads the rows of a query in sql/ as tuples with names.

The warehouse is the connection's default catalog and is only read. What does not belong here: which rows a page needs.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import starmap
from typing import Any, TypeVar

import duckdb

# A NamedTuple: pages read many rows, and one is made in a third of the time that a dataclass needs.
RowT = TypeVar("RowT", bound=tuple[Any, ...])


@cache
def sql_text(name: str) -> str:
    """The text of sql/`name`."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


def read_rows(con: duckdb.DuckDBPyConnection, name: str, shape: type[RowT], values: Mapping[str, Any]) -> list[RowT]:
    """All rows of a query, whose columns must be the fields of `shape`."""
    return list(stream_rows(con, name, shape, values))


def stream_rows(
    con: duckdb.DuckDBPyConnection, name: str, shape: type[RowT], values: Mapping[str, Any]
) -> Iterator[RowT]:
    """The rows of a query, a batch in memory at a time. Raises TypeError if its columns are not the fields."""
    cursor = con.execute(sql_text(name), dict(values))
    columns = [column[0] for column in cursor.description or []]
    if columns != list(shape.__annotations__):
        raise TypeError(f"reports/sql/{name} does not select the fields of {shape.__name__}, in their order")
    while rows := cursor.fetchmany(2000):
        yield from starmap(shape, rows)
