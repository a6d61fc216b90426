"""Turns a row of a query into an object with named fields.

What does not belong here: queries, and which rows are read.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, TypeVar


class TypedRow(Protocol):
    """A dataclass whose fields are the columns of a query, in their order."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


RowT = TypeVar("RowT", bound=TypedRow)


def typed_row(shape: type[RowT], row: Iterable[Any]) -> RowT:
    """Returns the row as a `shape`. Raises ValueError if it has more or fewer columns than `shape` has fields."""
    return shape(**dict(zip(shape.__dataclass_fields__, row, strict=True)))
