"""Finds tables that are read by a view that sees less than an earlier one: since when, what is missing, how many rows.

What does not belong here: what a view may prove (`reader_views`), accepting the view for the clinic
(`view_acceptance`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import duckdb

from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading.load_context import Context, Counts, View
from fullscript_pipeline.warehouse.loading.reader_views import stored_view

_TABLES = {table.name: table for table in ALL_TABLES}
_VIEWS = (
    "SELECT table_name, last_listed_at, viewer_clinic_id, user_id, scopes, lacks FROM ops.views "
    "WHERE coalesce(clinic_id, region) = ? ORDER BY table_name, last_listed_at NULLS FIRST, first_seen_at"
)


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """A table whose last reader sees less than an earlier reader did.

    `full_at`: when an earlier, wider reader last listed it (None: unknown). `lacks`: the scopes that only the earlier
    reader had. `is_different_user`: the earlier reader is another user. `rows`: the number of rows that the list lacks
    and that stay as they were.
    """

    table: str
    full_at: datetime | None
    lacks: tuple[str, ...]
    is_different_user: bool
    rows: int

    @property
    def cause(self) -> str:
        causes = [f"without {', '.join(self.lacks)}"] if self.lacks else []
        return " and ".join([*causes, *(["by another user"] if self.is_different_user else [])])

    @property
    def sentence(self) -> str:
        since = f"on {self.full_at:%Y-%m-%d}" if self.full_at else "by an earlier view"
        stand = f"; {counted(self.rows, 'row')} that it does not list stay as they were" if self.rows else ""
        return f"{self.table} last read in full {since}, since then {self.cause or 'with fewer permissions'}{stand}"


def narrowings(con: duckdb.DuckDBPyConnection, owner: str) -> list[Narrowing]:
    """The narrowed tables of a clinic (its id) or a region, by table."""
    rows = con.execute(_VIEWS, [owner]).fetchall()
    narrowed = []
    for name, own in groupby(rows, key=lambda row: str(row[0])):
        listed = [(stored_view(*view), at) for _, at, *view in own]
        present, listed_at = listed[-1]
        # A table that no list contains completely (events) was never read in full.
        if listed_at and (narrowing := _narrowing(con, name, owner, present=present, others=listed[:-1])):
            narrowed.append(narrowing)
    return narrowed


def narrowing_sentences(con: duckdb.DuckDBPyConnection, context: Context, counts: Mapping[str, Counts]) -> list[str]:
    """A sentence for each table of which this pull's view saw less than an earlier view."""
    narrowed = (_narrowing_of(con, context, name) for name, count in counts.items() if count.narrower)
    return [narrowing.sentence for narrowing in narrowed if narrowing]


def is_narrowed(con: duckdb.DuckDBPyConnection, context: Context, table: Table, counts: Counts) -> bool:
    """Whether this load's view of a clinic's table lacks scopes or rows that an earlier view had."""
    is_narrower = table.scope == "clinic" and counts.narrower
    return bool(is_narrower) and _narrowing_of(con, context, table.name) is not None


def missing_rows(con: duckdb.DuckDBPyConnection, table: Table, owner: str, view: View) -> int:
    """Counts the stored rows that the last listings of this view lacked without proving their removal."""
    latest = " AND s.valid_to IS NULL" if table.history else ""
    (number,) = con.execute(
        f"SELECT count(*) FROM {table.stored_in} s WHERE s.{table.scope_column} = $owner AND s.removed_at IS NULL"
        f"{latest} AND EXISTS (SELECT 1 FROM ops.view_missing m WHERE m.table_name = $name AND m.view = $view "
        f"AND coalesce(m.clinic_id, m.region) = $owner AND m.record_key = {table.record_key('s')})",
        {"owner": owner, "name": table.name, "view": view.key},
    ).fetchone() or (0,)
    return int(number)


def _narrowing_of(con: duckdb.DuckDBPyConnection, context: Context, name: str) -> Narrowing | None:
    owner = (context.clinic_id if _TABLES[name].scope == "clinic" else None) or context.region
    rows = con.execute(_VIEWS, [owner]).fetchall()
    others = [(stored_view(*view), at) for table, at, *view in rows if table == name]
    return _narrowing(con, name, owner, present=context.view, others=others) if context.view else None


def _narrowing(
    con: duckdb.DuckDBPyConnection,
    name: str,
    owner: str,
    present: View,
    others: Sequence[tuple[View, datetime | None]],
) -> Narrowing | None:
    """The narrowing of a table, if scopes for reading or rows are missing."""
    wider = [(view, at) for view, at in others if view != present and not present.includes(view)]
    if not wider or name not in _TABLES:
        return None
    lacks = {scope for view, _ in wider for scope in (view.scopes - present.scopes if view.scopes else present.lacks)}
    lacks = {scope for scope in lacks if not scope.endswith(":write")}
    rows = missing_rows(con, _TABLES[name], owner, present)
    if not lacks and not rows:
        return None
    full_at = max((at for _, at in wider if at), default=None)
    is_different_user = any(view.user_id != present.user_id for view, _ in wider)
    return Narrowing(
        table=name, full_at=full_at, lacks=tuple(sorted(lacks)), is_different_user=is_different_user, rows=rows
    )
