"""Finds what changed in a region's catalog between two observations, from its history.

The same comparison fills the mart (each day against the day before) and compares any two days. An object that was not
seen is unknown and never counts as removed; only a closing version in history removes it. What does not belong here:
pulling, and the sections and layout of a digest.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from importlib import resources
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from fullscript_pipeline.catalog.cosmetic import is_cosmetic
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES, ENTITIES, Entity
from fullscript_pipeline.catalog.filters import check_field, find_brand_ids, find_entities
from fullscript_pipeline.catalog.observed_days import end_of, require_observed, version_days
from fullscript_pipeline.duckdb_memory import memory_limit


class CatalogChange(NamedTuple):
    """A row of marts.catalog_changes.

    `field`: the vendor's path, or None when the object itself was added, removed or returned.
    `active_plans`: how many active treatment plans, over all clinics of the region, recommend the object.
    """

    region: str
    changed_on: date
    entity: str
    entity_id: str
    product_id: str | None
    brand_id: str | None
    change: str
    field: str | None
    old_value: str | None
    new_value: str | None
    cosmetic: bool
    active_plans: int
    entity_name: str | None
    product_name: str | None
    brand_name: str | None


COLUMNS = CatalogChange._fields
# The mart also has the difference of a price or a size, and the day of the observation that showed it.
_LIST = ", ".join((*COLUMNS, "delta", "delta_percent", "seen_on"))
# Rows are sorted here: DuckDB would have to sort whole descriptions within its memory limit.
_ORDER = [(name, "ascending") for name in ("place", "brand_name", "product_name", "entity_name", "entity_id", "field")]
# Columns with few distinct values, which are converted once each.
_REPEATED = frozenset({"region", "changed_on", "entity", "brand_id", "change", "field", "brand_name"})
_END = datetime(9999, 1, 1, tzinfo=UTC)
# How many days of a long history are built at once.
_DAYS = 30
MEMORY = "800MB"
# Somebody waits for a comparison; loads and the daily build keep to one thread, because several processes work then.
COMPARING_THREADS = 2


def changes_between(
    con: duckdb.DuckDBPyConnection,
    region: str,
    from_day: date,
    to_day: date,
    time_zone: ZoneInfo,
    *,
    brand: str | None = None,
    field: str | None = None,
    include_cosmetic: bool = False,
    entities: Sequence[str] = DEFAULT_ENTITIES,
) -> list[CatalogChange]:
    """The net difference between the last observations on or before the end of each day.

    A value that changed and changed back is no change. `changed_on` is the last day on which the field (or the
    object's presence) changed, dated by an event where there is one; it may lie before `from_day` if the change was
    seen after that day. `brand` is an id or a name. Raises UsageError if `from_day` is after `to_day`, if the region
    or `from_day` has no observation, and for an unknown brand, field or entity.
    """
    require_observed(con, region, from_day, to_day, time_zone=time_zone)
    kinds = find_entities(entities)
    brand_ids = find_brand_ids(con, region, brand)
    from_at, to_at = end_of(from_day, time_zone), end_of(to_day, time_zone)
    values = {"region": region, "from_at": from_at, "to_at": to_at, "named_at": to_at, "zone": time_zone.key}
    with _threads(con, COMPARING_THREADS):
        changes = _compare(con, "changes.sql", kinds, values)
    rows = list(_to_tuples(changes.sort_by(_ORDER)))
    field_path = check_field(field, rows)
    return [
        row
        for row in rows
        if (include_cosmetic or not row.cosmetic)
        and (field_path is None or row.field == field_path)
        and (brand_ids is None or row.brand_id in brand_ids)
    ]


def build_catalog_changes(
    con: duckdb.DuckDBPyConnection, region: str, *, time_zone: ZoneInfo, since: datetime | None = None
) -> int:
    """Fill marts.catalog_changes for each day with new versions, from the day of `since` on (None: all days).

    It holds all kinds of object; cosmetic changes are included and marked. Records which products the categories show,
    then replaces the rows seen on those days, within the caller's transaction. Returns the number of rows written.
    """
    for statement in _sql("memberships.sql").split(";"):
        if statement.strip():
            con.execute(statement, {"region": region} if "$region" in statement else None)
    first = since.astimezone(time_zone).date() if since else date.min
    con.execute("DELETE FROM marts.catalog_changes WHERE region = ? AND seen_on >= ?", [region, first])
    return sum(
        _insert_changes(con, region, span, time_zone) for span in _spans(version_days(con, region, time_zone), first)
    )


def _insert_changes(con: duckdb.DuckDBPyConnection, region: str, span: tuple[date, date], zone: ZoneInfo) -> int:
    """Inserts the changes seen within a span of days (both included)."""
    from_at, to_at = end_of(span[0] - timedelta(days=1), zone), end_of(span[1], zone)
    values = {"region": region, "from_at": from_at, "to_at": to_at, "named_at": _END, "zone": zone.key}
    changes = _compare(con, "daily.sql", list(ENTITIES.values()), values)
    con.register(
        "new_catalog_changes", changes.append_column("cosmetic", pa.array(_judge_cosmetic(changes), pa.bool_()))
    )
    con.execute(f"INSERT INTO marts.catalog_changes ({_LIST}) SELECT {_LIST} FROM new_catalog_changes")
    con.unregister("new_catalog_changes")
    return int(changes.num_rows)


def _spans(days: Sequence[date], first: date) -> Iterator[tuple[date, date]]:
    """The days from `first` on as spans of at most _DAYS days: a long history at once exceeds DuckDB's memory limit."""
    due = [day for day in days if day >= first]
    return ((chunk[0], chunk[-1]) for chunk in (due[start : start + _DAYS] for start in range(0, len(due), _DAYS)))


def rebuild_start(con: duckdb.DuckDBPyConnection, region: str, day: date, time_zone: ZoneInfo) -> datetime | None:
    """The instant from which a region's mart must be rebuilt to hold `day` and every missing day; None: all of it."""
    sql = "SELECT max(seen_on) FROM marts.catalog_changes WHERE region = ? AND entity <> 'category_product'"
    (last,) = con.execute(sql, [region]).fetchone() or (None,)
    return end_of(min(last, day) - timedelta(days=1), time_zone) if last else None


def _compare(
    con: duckdb.DuckDBPyConnection, comparison: str, kinds: Sequence[Entity], values: Mapping[str, Any]
) -> pa.Table:
    """Runs a comparison for each kind, and adds names and plan counts to the changes."""
    union = " UNION ALL ".join(
        f"SELECT '{kind.name}' AS entity, {place} AS place, * FROM ({_fill_template(comparison, kind)})"
        for place, kind in enumerate(kinds)
    )
    # The comparison holds all texts of the versions: 30,000 products of 8 kB exceed the usual memory limit of a step.
    with memory_limit(con, MEMORY):
        return con.execute(_sql("context.sql").replace("{changes}", union), dict(values)).to_arrow_table()


@contextmanager
def _threads(con: duckdb.DuckDBPyConnection, number: int) -> Iterator[None]:
    """DuckDB's threads within the block, at most the processors. Set through another connection, as memory limits are:
    after an error, the transaction accepts no statement."""
    with con.cursor() as cursor:
        (before,) = cursor.execute("SELECT current_setting('threads')").fetchone() or (1,)
        cursor.execute(f"SET threads = {min(number, os.cpu_count() or 1)}")
        try:
            yield
        finally:
            cursor.execute(f"SET threads = {before}")


def _judge_cosmetic(changes: pa.Table) -> list[bool]:
    """Whether each change is one of spelling only. Two different numbers never are, and most changes are prices."""
    is_open = changes.column("may_be_cosmetic")
    texts = changes.select(["field", "old_value", "new_value"]).filter(is_open)
    columns = (column.to_pylist() for column in texts.columns)
    verdicts = (is_cosmetic(old, new, field=field) for field, old, new in zip(*columns, strict=True))
    return [may_be and next(verdicts) for may_be in is_open.to_pylist()]


def _to_tuples(changes: pa.Table) -> Iterator[CatalogChange]:
    """Converts the table by columns: a year has a hundred thousand changes, and a loop over rows is slow.

    Arrow makes no array or scalar of Python values here: the first one imports pandas, which takes as long as the rest.
    """
    cosmetic = _judge_cosmetic(changes)
    columns = (
        cosmetic if name == "cosmetic" else _to_list(changes.column(name), is_repeated=name in _REPEATED)
        for name in COLUMNS
    )
    return map(partial(tuple.__new__, CatalogChange), zip(*columns, strict=True))


def _to_list(column: pa.ChunkedArray, *, is_repeated: bool) -> list[Any]:
    if not is_repeated:
        return list(column.to_pylist())
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return list(map(encoded.dictionary.to_pylist().__getitem__, encoded.indices.to_pylist()))


@cache
def _fill_template(comparison: str, kind: Entity) -> str:
    """field_changes.sql around a comparison, for one kind."""
    sql = _sql("field_changes.sql").replace("{compared}", _sql(comparison))
    for name, fragment in kind.parts().items():
        sql = sql.replace(f"{{{name}}}", fragment)
    return sql


@cache
def _sql(name: str) -> str:
    """The text of a statement without its comments, because several are joined into one statement."""
    text = resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
