"""Records with one field in a wrong spelling each, for every table: what that costs besides the field itself.

What does not belong here: assertions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Child, Column, Kind, Table
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline_tests.helpers.warehouse_loads import Record, context, lines_of, rows

SPELLINGS: Sequence[Any] = (
    "unheard of", " ", True, {"a": 1}, [1, {"b": 2}], 1e300, -1, "2 bottles", "9" * 30, "\u0000x", "0000-00-00",
    "16.666666666666668", "12/31/2026", [],
)  # fmt: skip
_GOOD: dict[Kind, Any] = {
    Kind.TEXT: "word",
    Kind.FLAG: True,
    Kind.INTEGER: 7,
    Kind.DECIMAL: "1.5",
    Kind.INSTANT: "2026-01-02T03:04:05Z",
    Kind.DATE: "2026-01-02T03:04:05Z",
    Kind.LIST: ["a", "b"],
}
PARENTS: dict[str, tuple[Table, Child]] = {
    child.table.name: (table, child) for table in ALL_TABLES for child in table.children
}


@dataclass
class Cost:
    """`lost`: other values that differ; `untold`: fields without a value, whose text or note is not kept."""

    tried: int = 0
    lost: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)


def fields_of(table: Table) -> list[str]:
    """The record's own keys that columns read, ids and arrays of children aside."""
    paths = (path for path in table.sources() if path != "id")
    return list(dict.fromkeys(path.partition(".")[0].partition("[")[0] for path in paths))


def full_record(table: Table, key: str) -> Record:
    """A record with a good value under every key."""
    record: Record = {"id": key}
    for column in table.columns:
        for path in column.source[:1]:
            *parents, leaf = path.split(".")
            place = record
            for parent in parents:
                place = place.setdefault(parent, {})
            if leaf != "id" or parents:
                place.setdefault(leaf, _GOOD[column.kind])
    return record


def cost(warehouse: Warehouse, table: Table) -> Cost:
    """Loads, in one go, a good record and one for each field and spelling; what the latter lack."""
    tried = [(name, place, value) for name in fields_of(table) for place, value in enumerate(SPELLINGS)]
    records = [full_record(table, "good")]
    records += [full_record(table, f"{name}-{place}") | {name: value} for name, place, value in tried]
    _load(warehouse, table, records)
    stored = dict(_stored(warehouse, table))
    good, found = stored["0" if table.by_position else "good"], Cost(len(tried))
    for number, (name, place, _) in enumerate(tried, 1):
        label = f"{table.name}.{name} {SPELLINGS[place]!r}"
        row = stored.get(str(number) if table.by_position else f"{name}-{place}")
        if row is None:
            found.set_aside.append(f"{table.name}.{name}")
            continue
        others = [column for column in table.columns if not _reads(column, name) and not _reads(column, "id")]
        found.lost += [f"{label}: {one.name}" for one in others if row[one.name] != good[one.name]]
        found.untold += [f"{label}: {one}" for one in _untold(table, name, row, SPELLINGS[place])]
    return found


def _load(warehouse: Warehouse, table: Table, records: list[Record]) -> None:
    with warehouse.write() as con:
        if table.name in PARENTS:
            parent, child = PARENTS[table.name]
            parent_record = full_record(parent, "parent") | {child.array: records}
            load(con, parent, lines_of([parent_record]), context())
        else:
            load(con, table, lines_of(records, "parent" if len(table.key) > 1 else None), context())


def _stored(warehouse: Warehouse, table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    names = [table.key[-1], *(column.name for column in table.columns), "extra"]
    for row in rows(warehouse, f"SELECT {', '.join(names)} FROM core.{table.name}"):
        yield str(row[0]), dict(zip(names, row, strict=True))


def _reads(column: Column, name: str) -> bool:
    return f"r.{name}" in (column.sql or "") or any(path.split(".")[0].split("[")[0] == name for path in column.source)


def _untold(table: Table, name: str, row: dict[str, Any], sent: Any) -> Iterator[str]:
    """Columns that have no value for what was sent, though what was sent is not kept either."""
    extra = orjson.loads(row["extra"]) if row["extra"] else {}
    for column in table.columns:
        is_plain = column.sql is None and name in column.source[:1]
        if is_plain and row[column.name] in (None, []) and sent != [] and name not in extra:
            yield column.name
