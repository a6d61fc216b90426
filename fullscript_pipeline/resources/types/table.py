"""How a table is described: columns with their source in the vendor's record, key, history, children.

One description makes the DDL, the load, the typing check and the copies for analysts, so they cannot disagree. What
does not belong here: the tables themselves (the modules of `resources`) and anything that runs SQL.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

Scope = Literal["clinic", "region"]


class Copy(Enum):
    """A copy of the warehouse for analysts that may hold a table or a column. What does not say so is in none.

    A row of a `SHIFTED` copy has no date that is the same for many patients: next to a shifted one it would reveal the
    shift. So it has no time of ours, no history and no time of day.
    """

    PSEUDONYMISED = "pseudonymised"
    SHIFTED = "pseudonymised, dates shifted"


BOTH_COPIES = (Copy.PSEUDONYMISED, Copy.SHIFTED)


class Kind(Enum):
    """What a column holds; the value is its DuckDB type."""

    TEXT = "VARCHAR"
    FLAG = "BOOLEAN"
    INTEGER = "BIGINT"
    DECIMAL = "DECIMAL(18,4)"
    INSTANT = "TIMESTAMPTZ"
    DATE = "DATE"
    LIST = "VARCHAR[]"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column. `source`: dotted paths in the record, the first that is not empty wins; "" and null are both empty.
    `objects[].key` is that key of every object of a list.

    `sql` replaces the plain reading: an expression over `r` (the record as a struct of text, see `structure`),
    `parent_id`, `position` and the context columns (`ctx.clinic_key`, `ctx.region`, `ctx.server`).
    `strict`: a figure needs the value, and has no honest state without it: one that is there but cannot be typed sends
    the record to quarantine. Any other is NULL then, its text stays in `extra` and its key is noted (`staging`).
    `exact`: a number with more decimals than the column holds is not rounded.
    `is_id`: the text is the id of another object, and NULL where that cannot be asked for (`ids`).
    `copies`: the copies for analysts that have the column (`published`).
    """

    name: str
    kind: Kind = Kind.TEXT
    source: tuple[str, ...] = ()
    sql: str | None = None
    strict: bool = False
    is_id: bool = False
    exact: bool = False
    copies: tuple[Copy, ...] = ()

    def published(self, *copies: Copy) -> "Column":
        """The same column as a part of these copies for analysts; of both when none is named."""
        return replace(self, copies=copies or BOTH_COPIES)


def text(name: str, *source: str) -> Column:
    return Column(name=name, kind=Kind.TEXT, source=source or (name,))


def reference(name: str) -> Column:
    """The id of another object: sent as `<object>_id`, or inside that object (`patient.id`)."""
    return ident(name, name, f"{name.removesuffix('_id')}.id")


def ident(name: str, *source: str) -> Column:
    """The id of another object, wherever it stands."""
    return Column(name=name, kind=Kind.TEXT, source=source or (name,), is_id=True)


def references(name: str) -> Column:
    """Ids of other objects: a list `<object>_ids`, those objects themselves, or a single one of them."""
    stem = name.removesuffix("_ids")
    return Column(name=name, kind=Kind.LIST, source=(name, f"{stem}s[].id", f"{stem}_id", f"{stem}.id"), is_id=True)


def flag(name: str, *source: str) -> Column:
    return Column(name=name, kind=Kind.FLAG, source=source or (name,))


def integer(name: str, *source: str, strict: bool = False) -> Column:
    return Column(name=name, kind=Kind.INTEGER, source=source or (name,), strict=strict)


def decimal(name: str, *source: str, exact: bool = False) -> Column:
    return Column(name=name, kind=Kind.DECIMAL, source=source or (name,), exact=exact)


def instant(name: str, *source: str, strict: bool = False) -> Column:
    return Column(name=name, kind=Kind.INSTANT, source=source or (name,), strict=strict)


def day(name: str, *source: str, strict: bool = False) -> Column:
    """A calendar date as written: the first ten characters of the text, never converted to another zone."""
    return Column(name=name, kind=Kind.DATE, source=source or (name,), strict=strict)


def texts(name: str, *source: str) -> Column:
    return Column(name=name, kind=Kind.LIST, source=source or (name,))


@dataclass(frozen=True, kw_only=True)
class Child:
    """A table filled from an array inside its parent's record, replaced whenever the parent's content changes.

    Only an array that is there says what the rows are. If the record lacks it, or has something that is no list (null,
    a text, another object), the rows stay as they are. A line that cannot be read leaves its own row as it is.
    """

    table: "Table"
    array: str
    parent_column: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of one kind of object.

    `key`: the columns that, after the scope, name a row; the last one is the record's id or its position.
    `by_position`: the rows are lines of an array, known by their place; the first column says what a line is about.
    `history`: every version is kept (`history.<name>`) and `core.<name>` is a view of the latest.
    `untyped`: documented top-level keys that stay in `extra`; any other key found there is drift.
    `copies`: the copies for analysts that have the table, with its key and those of its columns that say so.
    """

    name: str
    scope: Scope
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    history: bool = False
    children: tuple[Child, ...] = ()
    untyped: tuple[str, ...] = ()
    by_position: bool = False
    key_is_scope: bool = False
    extra_sources: tuple[str, ...] = field(default=())
    copies: tuple[Copy, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for a column in a copy that does not have the table."""
        for column in self.columns:
            if not set(column.copies) <= set(self.copies):
                raise ValueError(f"{self.name}.{column.name} is in a copy that the table is not in")

    @property
    def scope_column(self) -> str:
        return "clinic_id" if self.scope == "clinic" else "region"

    @property
    def stored_in(self) -> str:
        """The physical table, `schema.name`."""
        return f"{'history' if self.history else 'core'}.{self.name}"

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Scope and key: what is unique among the latest versions."""
        return self.key if self.key_is_scope else (self.scope_column, *self.key)

    def record_key(self, alias: str) -> str:
        """SQL: the key of a stored row as one text; `ops` names rows by it."""
        return f"concat_ws('/', {', '.join(f'{alias}.{name}' for name in self.key)})"

    def came_key(self, alias: str) -> str:
        """SQL: the same key of a row that a load brought (`parent_id`, `id`)."""
        return f"concat_ws('/', {alias}.parent_id, {alias}.id)" if len(self.key) > 1 else f"{alias}.id"

    def sources(self) -> Iterator[str]:
        """Every dotted path that a column reads, each once."""
        seen: set[str] = set()
        for path in (*self.extra_sources, *(path for column in self.columns for path in column.source)):
            if path not in seen:
                seen.add(path)
                yield path

    def typed_keys(self) -> tuple[str, ...]:
        """Top-level keys that need not be kept in `extra`: read whole by a column, or an array with its own table."""
        plain = [path for path in self.sources() if "." not in path]
        return (*dict.fromkeys((*plain, *(child.array for child in self.children), "id")),)


def family(*tables: Table) -> tuple[Table, ...]:
    """The tables and, after each, its children."""
    return tuple(member for table in tables for member in (table, *(child.table for child in table.children)))
