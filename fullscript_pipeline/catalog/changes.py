"""What changed in a region's catalog between two observations, from its history.

One comparison serves both readers: the mart (each day against the day before) and any two days. What was not seen is
unknown and never counts as removed: only a closing version in history says that something is gone. What does not
belong here: pulling, lanes and layout of a digest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from fullscript_pipeline.catalog import days
from fullscript_pipeline.catalog.cosmetic import is_cosmetic
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES, ENTITIES, Entity
from fullscript_pipeline.catalog.filters import chosen_brand, chosen_entities, chosen_field


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """A row of marts.catalog_changes. `field` is the vendor's path, None when the object itself came or went.

    `active_plans`: active treatment plans, over all clinics of the region, that recommend what changed.
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


COLUMNS = tuple(one.name for one in fields(CatalogChange))


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
    """The net difference between the last observations on or before the end of each day; changed and changed back is
    no change. `changed_on` is the last day on which that field (or the object's presence) moved. `brand` is an id or
    a name.

    Raises UsageError: FROM after TO, a region or a FROM without observation, an unknown brand, field or entity.
    """
    days.require_observed(con, region, from_day, to_day, time_zone)
    kinds = chosen_entities(entities)
    wanted_field = chosen_field(field)
    wanted_brand = chosen_brand(con, region, brand)
    found = _net_changes(
        con, region, days.end_of(from_day, time_zone), days.end_of(to_day, time_zone), time_zone, kinds
    )
    return [
        row
        for row in found
        if (include_cosmetic or not row.cosmetic)
        and (wanted_field is None or row.field == wanted_field)
        and (wanted_brand is None or row.brand_id in wanted_brand)
    ]


def build_catalog_changes(
    con: duckdb.DuckDBPyConnection, region: str, *, time_zone: ZoneInfo, since: datetime | None = None
) -> int:
    """Fill marts.catalog_changes for each day with new versions from the day of `since` on (None: from the beginning),
    all kinds of object, cosmetic changes included and marked. Rows of those days are replaced, within the caller's
    transaction. Returns the number of rows written.
    """
    moved = days.days_with_versions(con, region, time_zone, since)
    first = since.astimezone(time_zone).date() if since else date.min
    con.execute("DELETE FROM marts.catalog_changes WHERE region = ? AND changed_on >= ?", [region, first])
    kinds = list(ENTITIES.values())
    written = 0
    for day in moved:
        before = days.end_of(day - timedelta(days=1), time_zone)
        written += _insert(con, _net_changes(con, region, before, days.end_of(day, time_zone), time_zone, kinds))
    return written


def _net_changes(
    con: duckdb.DuckDBPyConnection,
    region: str,
    from_at: datetime,
    to_at: datetime,
    zone: ZoneInfo,
    kinds: Sequence[Entity],
) -> list[CatalogChange]:
    found = " UNION ALL ".join(
        f"SELECT '{kind.name}' AS entity, {place} AS place, * FROM ({_changes_of(kind)})"
        for place, kind in enumerate(kinds)
    )
    sql = _sql("context.sql").replace("{found}", found)
    values = {"region": region, "from_at": from_at, "to_at": to_at, "zone": zone.key}
    result = con.execute(sql, values)
    names = [column[0] for column in result.description or []]
    rows: list[CatalogChange] = []
    while batch := result.fetchmany(5000):
        rows += [_row(dict(zip(names, values, strict=True))) for values in batch]
    return rows


def _row(values: dict[str, Any]) -> CatalogChange:
    same = values["change"] == "changed" and is_cosmetic(values["old_value"], values["new_value"])
    return CatalogChange(cosmetic=same, **values)


@cache
def _changes_of(kind: Entity) -> str:
    sql = _sql("changes.sql")
    filled = {
        "table": kind.table,
        "id": kind.id,
        "product_id": kind.product_id,
        "brand_id": kind.brand_id,
        "name": "v.name",
        "fields": kind.field_list,
    }
    for name, value in filled.items():
        sql = sql.replace(f"{{{name}}}", value)
    return sql


@cache
def _sql(name: str) -> str:
    """The statement without its comments (it is joined with others on the way to one statement)."""
    text = resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _insert(con: duckdb.DuckDBPyConnection, rows: Sequence[CatalogChange]) -> int:
    if not rows:
        return 0
    table = pa.table({name: [getattr(row, name) for row in rows] for name in COLUMNS}, schema=_SCHEMA)
    con.register("catalog_changes_found", table)
    con.execute(f"INSERT INTO marts.catalog_changes ({', '.join(COLUMNS)}) SELECT * FROM catalog_changes_found")
    con.unregister("catalog_changes_found")
    return len(rows)


_TYPES = {"changed_on": pa.date32(), "cosmetic": pa.bool_(), "active_plans": pa.int64()}
_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in COLUMNS])
