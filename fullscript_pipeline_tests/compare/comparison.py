"""Compares expected rows with a warehouse's: per table how many are missing, extra or different, in which columns."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Table

Row = Mapping[str, Any]
_PLAIN_ID = re.compile(r"\b([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\b")
# Columns that say by design another word under a quirk of the sandbox.
_OTHER_WORDS = {
    "unknown_words": {("orders", "state"), ("treatment_plans", "source"), ("clinics", "margin_type")},
    "refund_as_status": {("orders", "state")},
    "refund_as_flag": {("orders", "state")},
    "refund_as_time": {("orders", "state")},
}


@dataclass
class Compared:
    """What became of one table. `unequal`: how many rows differ in a column; `unread`: columns nobody compared."""

    table: str
    rows: int
    missing: int = 0
    extra: int = 0
    different: int = 0
    unequal: Counter[str] = field(default_factory=Counter)
    unread: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return not (self.missing or self.extra or self.different)


def compare(
    con: duckdb.DuckDBPyConnection, expected: Mapping[str, Sequence[Row]], quirks: Iterable[str] = ()
) -> list[Compared]:
    """Every table of the warehouse that the API fills, with what there should be."""
    names = frozenset(quirks)
    return [_compared(con, table, _shaped(table, expected.get(table.name, ()), names)) for table in ALL_TABLES]


def _shaped(table: Table, rows: Sequence[Row], quirks: frozenset[str]) -> list[Row]:
    """The rows as a server with these quirks tells them."""
    left_out = {column for quirk in quirks for name, column in _OTHER_WORDS.get(quirk, ()) if name == table.name}
    shaped: list[Row] = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    return (
        [{key: _other_ids(value) for key, value in row.items()} for row in shaped] if "other_ids" in quirks else shaped
    )


def _other_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_other_ids(one) for one in value]
    if not isinstance(value, str):
        return value
    return _PLAIN_ID.sub(lambda found: "FS|" + "".join(found.groups()).upper() + "~1", value)


def _compared(con: duckdb.DuckDBPyConnection, table: Table, expected: Sequence[Row]) -> Compared:
    key = table.key_columns
    columns = [*dict.fromkeys(name for row in expected for name in row)] or [*key]
    all_columns = [name for name, *_ in con.execute(f"DESCRIBE core.{table.name}").fetchall()]
    found = con.execute(f"SELECT {', '.join(columns)} FROM core.{table.name} WHERE removed_at IS NULL").fetchall()
    stored = [dict(zip(columns, row, strict=True)) for row in found]
    if (moment := _KEPT_LONGER.get(table.name)) and expected:
        oldest = min(row[moment] for row in expected)
        stored = [row for row in stored if row[moment] >= oldest]
    ours, theirs = _by_key(stored, key), _by_key(expected, key)
    result = Compared(
        table.name,
        len(stored),
        missing=len(theirs.keys() - ours.keys()),
        # A key that is stored twice has a row too many, too.
        extra=len(ours.keys() - theirs.keys()) + len(stored) - len(ours),
        unread=tuple(name for name in all_columns if name not in {*columns, *_BOOKKEEPING}),
    )
    for one in theirs.keys() & ours.keys():
        unequal = [name for name in theirs[one] if _plain(theirs[one][name]) != _plain(ours[one][name])]
        result.different += bool(unequal)
        result.unequal.update(unequal)
    return result


# The vendor forgets these after 30 days, the warehouse does not.
_KEPT_LONGER = {"events": "created_at", "webhook_deliveries": "attempted_at"}
_BOOKKEEPING = {"extra", "content_hash", "observed_at", "removed_at", "valid_from"}


def _by_key(rows: Sequence[Row], key: Sequence[str]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in key): row for row in rows}


def _plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value
