"""What changed in a region's catalog between two observations, from its history.

One comparison serves both readers: the mart (each day against the day before) and any two days. What was not seen is
unknown and never counts as removed: only a closing version in history says that something is gone. What does not
belong here: pulling, lanes and layout of a digest.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from importlib import resources
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from fullscript_pipeline.catalog import observed_days
from fullscript_pipeline.catalog.cosmetic import is_cosmetic
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES, ENTITIES, Entity
from fullscript_pipeline.catalog.filters import chosen_brand, chosen_entities, chosen_field
from fullscript_pipeline.duckdb_memory import memory_limit


class CatalogChange(NamedTuple):
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


COLUMNS = CatalogChange._fields
# The mart also says by how much a price or a size moved, and which observation showed it.
_LIST = ", ".join((*COLUMNS, "delta", "delta_percent", "seen_on"))
# Sorted here and not in DuckDB, which would have to sort whole descriptions within its memory limit.
_ORDER = [(name, "ascending") for name in ("place", "brand_name", "product_name", "entity_name", "entity_id", "field")]
_END = datetime(9999, 1, 1, tzinfo=UTC)
# Built at once, of a long history.
_DAYS = 30
MEMORY = "800MB"


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
    no change. `changed_on` is the last day on which that field (or the object's presence) moved, as an event dates it:
    it may lie before FROM when the change was seen after it. `brand` is an id or a name.

    Raises UsageError: FROM after TO, a region or a FROM without observation, an unknown brand, field or entity.
    """
    observed_days.require_observed(con, region, from_day, to_day, time_zone)
    kinds = chosen_entities(entities)
    wanted_brand = chosen_brand(con, region, brand)
    values = {
        "region": region,
        "from_at": observed_days.end_of(from_day, time_zone),
        "to_at": observed_days.end_of(to_day, time_zone),
        "named_at": observed_days.end_of(to_day, time_zone),
        "zone": time_zone.key,
    }
    rows = list(_rows(_compare(con, "changes.sql", kinds, values).sort_by(_ORDER)))
    wanted_field = chosen_field(field, rows)
    return [
        row
        for row in rows
        if (include_cosmetic or not row.cosmetic)
        and (wanted_field is None or row.field == wanted_field)
        and (wanted_brand is None or row.brand_id in wanted_brand)
    ]


def build_catalog_changes(
    con: duckdb.DuckDBPyConnection, region: str, *, time_zone: ZoneInfo, since: datetime | None = None
) -> int:
    """Fill marts.catalog_changes for each day with new versions from the day of `since` on (None: from the beginning),
    all kinds of object, cosmetic changes included and marked. Rows seen on those days are replaced, within the caller's
    transaction; what categories show is noted first. Returns the number of rows written.
    """
    for statement in _sql("memberships.sql").split(";"):
        if statement.strip():
            con.execute(statement, {"region": region} if "$region" in statement else None)
    first = since.astimezone(time_zone).date() if since else date.min
    con.execute("DELETE FROM marts.catalog_changes WHERE region = ? AND seen_on >= ?", [region, first])
    return sum(
        _build(con, region, span, time_zone)
        for span in _spans(observed_days.version_days(con, region, time_zone), first)
    )


def _build(con: duckdb.DuckDBPyConnection, region: str, span: tuple[date, date], zone: ZoneInfo) -> int:
    """The rows of some days."""
    from_at, to_at = observed_days.end_of(span[0] - timedelta(days=1), zone), observed_days.end_of(span[1], zone)
    values = {"region": region, "from_at": from_at, "to_at": to_at, "named_at": _END, "zone": zone.key}
    found = _compare(con, "daily.sql", list(ENTITIES.values()), values)
    con.register("catalog_changes_found", found)
    con.execute(f"INSERT INTO marts.catalog_changes ({_LIST}) SELECT {_LIST} FROM catalog_changes_found")
    con.unregister("catalog_changes_found")
    return int(found.num_rows)


def _spans(seen: Sequence[date], first: date) -> Iterator[tuple[date, date]]:
    """The days from `first` on, some at a time: a whole history at once is more than DuckDB may hold."""
    wanted = [day for day in seen if day >= first]
    return ((some[0], some[-1]) for some in (wanted[n : n + _DAYS] for n in range(0, len(wanted), _DAYS)))


def not_built_since(con: duckdb.DuckDBPyConnection, region: str, day: date, time_zone: ZoneInfo) -> datetime | None:
    """From when on the mart of a region must be rebuilt so that `day` and every day it may lack are in it.

    None: from the beginning.
    """
    sql = "SELECT max(seen_on) FROM marts.catalog_changes WHERE region = ? AND entity <> 'category_product'"
    (last,) = con.execute(sql, [region]).fetchone() or (None,)
    return observed_days.end_of(min(last, day) - timedelta(days=1), time_zone) if last else None


def _compare(
    con: duckdb.DuckDBPyConnection, comparison: str, kinds: Sequence[Entity], values: Mapping[str, Any]
) -> pa.Table:
    """Runs a comparison for each kind and puts its changes into context."""
    union = " UNION ALL ".join(
        f"SELECT '{kind.name}' AS entity, {place} AS place, * FROM ({_filled(comparison, kind)})"
        for place, kind in enumerate(kinds)
    )
    # Versions are compared with all their texts: 30,000 products of 8 kB do not fit into what a step usually gets.
    with memory_limit(con, MEMORY):
        found = con.execute(_sql("context.sql").replace("{found}", union), dict(values)).to_arrow_table()
    told = list(zip(*(found.column(name).to_pylist() for name in ("change", "old_value", "new_value")), strict=True))
    # Prices and states move between few values: each pair is judged once.
    judged = {pair: pair[0] == "changed" and is_cosmetic(*pair[1:]) for pair in set(told)}
    cosmetic = [judged[pair] for pair in told]
    return found.append_column("cosmetic", pa.array(cosmetic, pa.bool_()))


def _rows(found: pa.Table) -> Iterator[CatalogChange]:
    """The changes as tuples; without detours through Python, because a year has a hundred thousand."""
    days_of = found.column("changed_on").combine_chunks().dictionary_encode()
    known = days_of.dictionary.to_pylist()
    columns = {name: found.column(name).to_pylist() for name in COLUMNS if name != "changed_on"}
    columns["changed_on"] = [known[place] for place in days_of.indices.to_pylist()]
    return map(partial(tuple.__new__, CatalogChange), zip(*(columns[name] for name in COLUMNS), strict=True))


@cache
def _filled(comparison: str, kind: Entity) -> str:
    """told.sql around a comparison, for one kind."""
    sql = _sql("told.sql").replace("{compared}", _sql(comparison))
    for name, value in kind.parts().items():
        sql = sql.replace(f"{{{name}}}", value)
    return sql


@cache
def _sql(name: str) -> str:
    """The statement without its comments (it is joined with others on the way to one statement)."""
    text = resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
