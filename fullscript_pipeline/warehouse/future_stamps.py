"""Finds times in the warehouse that lie in the future, left by a run under a wrong clock, and moves them back.

Only the pipeline's own times are moved, not those of the vendor's records: observations, versions, pulls and reads. The
columns are read from the file itself, so a new table is covered. All times move as one ordered set, so versions stay
gapless and in order. What does not belong here: the state store's times (`state.future_stamps`), who may call this.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import duckdb
import pyarrow as pa

from fullscript_pipeline import clock
from fullscript_pipeline.resources import ALL_TABLES

_COLUMNS = """SELECT c.schema_name || '.' || c.table_name, c.column_name, c.data_type = 'DATE' FROM duckdb_columns() c
    JOIN duckdb_tables() t USING (database_oid, schema_oid, table_oid)
    WHERE c.database_name = current_database() AND c.data_type IN ('DATE', 'TIMESTAMP WITH TIME ZONE') ORDER BY ALL"""
# Columns of a described table that hold a time of ours.
_OURS = frozenset({("core.events", "processed_at")})
# When a pull really ran, whatever time FULLSCRIPT_NOW says it is.
_REAL = frozenset({("ops.pulls", "started_at"), ("ops.pulls", "finished_at")})
# These tables may hold future days (run-out dates); the next page build computes them again.
_COMPUTED = frozenset(
    {"marts.adherence", "marts.adherence_gaps", "marts.adherence_timeline", "marts.adherence_dose_periods"}
)
# Tables whose rows the next pulls create again, by their column of times: the real time of the read is unknown.
_RECREATED = {
    "marts.catalog_changes": "seen_on",
    "marts.catalog_digests": "day",
    "marts.adherence_daily": "day",
    "marts.patient_verdicts": "since",
    "ops.patient_reads": "plans_read_at",
    "ops.detail_reads": "read_at",
}


@dataclass(frozen=True, kw_only=True)
class StampColumn:
    """A column whose times (or days) the pipeline sets, not the vendor."""

    table: str
    name: str
    is_day: bool

    def limit(self, now: datetime) -> datetime:
        """Times after this one are in the future. FULLSCRIPT_NOW may be earlier than the real time."""
        return max(now, clock.real_now()) if (self.table, self.name) in _REAL else now


def stamp_columns(con: duckdb.DuckDBPyConnection) -> list[StampColumn]:
    """Every such column of this file. Due times (`next_...`) are left out: they may lie in the future."""
    vendors = {(table.stored_in, column.name) for table in ALL_TABLES for column in table.columns} - _OURS
    return [
        StampColumn(table=table, name=name, is_day=is_day)
        for table, name, is_day in con.execute(_COLUMNS).fetchall()
        if (table, name) not in vendors and table not in _COMPUTED and not name.startswith("next_")
    ]


def count_future(con: duckdb.DuckDBPyConnection, now: datetime, today: date) -> dict[str, int]:
    """Counts by table the rows with a time after `now` or a day after `today`; tables without any are left out."""
    counts = {}
    for table, columns in _by_table(stamp_columns(con)):
        ahead = " OR ".join(f"{column.name} > ?" for column in columns)
        limits = [today if column.is_day else column.limit(now) for column in columns]
        (number,) = con.execute(f"SELECT count(*) FROM {table} WHERE {ahead}", limits).fetchone() or (0,)
        counts[table] = int(number)
    return {table: number for table, number in counts.items() if number}


def future_instants(con: duckdb.DuckDBPyConnection, now: datetime) -> tuple[set[datetime], datetime | None]:
    """Every distinct time after `now`, and the last time that is not after it (None: there is none)."""
    ahead: set[datetime] = set()
    last: datetime | None = None
    for column in stamp_columns(con):
        if column.is_day:
            continue
        sql, limit = f"FROM {column.table} WHERE {column.name}", column.limit(now)
        ahead |= {moment for (moment,) in con.execute(f"SELECT DISTINCT {column.name} {sql} > ?", [limit]).fetchall()}
        before = con.execute(f"SELECT max({column.name}) {sql} <= ?", [now]).fetchone()
        last = max(filter(None, (last, *(before or ()))), default=None)
    return ahead, last


def move_back(con: duckdb.DuckDBPyConnection, now: datetime, moved: Mapping[datetime, datetime], today: date) -> None:
    """Replaces times after `now` as `moved` says and days after `today` by `today`, in the caller's transaction."""
    columns = stamp_columns(con)
    for column in columns:
        if _RECREATED.get(column.table) == column.name:
            con.execute(f"DELETE FROM {column.table} WHERE {column.name} > ?", [today if column.is_day else now])
    con.register("moved_stamps", pa.table({"was": _utc(moved), "becomes": _utc(moved.values())}))
    for column in columns:
        if column.is_day:
            con.execute(
                f"UPDATE {column.table} SET {column.name} = $today WHERE {column.name} > $today", {"today": today}
            )
        elif moved:
            con.execute(
                f"UPDATE {column.table} AS t SET {column.name} = m.becomes FROM moved_stamps m "
                f"WHERE t.{column.name} = m.was"
            )
    con.unregister("moved_stamps")


def _by_table(columns: Iterable[StampColumn]) -> Iterator[tuple[str, list[StampColumn]]]:
    tables: dict[str, list[StampColumn]] = {}
    for column in columns:
        tables.setdefault(column.table, []).append(column)
    yield from tables.items()


def _utc(moments: Iterable[datetime]) -> pa.Array:
    return pa.array(list(moments), pa.timestamp("us", tz="UTC"))
