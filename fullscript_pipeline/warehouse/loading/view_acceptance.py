"""Accepts a narrower view as the clinic's view: rows that only earlier views saw are marked removed.

Rows that a complete listing of the view has lacked are marked at once, the others when a listing lacks them. Earlier
views no longer count. What does not belong here: asking the user (`cli.accept_view`), pages (`orchestration`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import duckdb

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading import merge, staging, versions
from fullscript_pipeline.warehouse.loading.load_context import Context, View
from fullscript_pipeline.warehouse.loading.reader_views import join_scopes, known_views


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """The rows to remove, as keys by table, the patients whose pages change, and the views that no longer count.

    `unread`: the number of further rows, by table, that no listing of the view has covered yet.
    """

    keys: Mapping[str, list[str]] = field(default_factory=dict)
    unread: Mapping[str, int] = field(default_factory=dict)
    patients: frozenset[str] = frozenset()
    earlier: frozenset[View] = frozenset()
    is_known: bool = False

    @property
    def rows(self) -> int:
        return sum(map(len, self.keys.values()))


def preview(con: duckdb.DuckDBPyConnection, context: Context, view: View) -> Acceptance:
    """Computes what `accept` would do. `is_known`: the view has read a table."""
    keys: dict[str, list[str]] = {}
    unread: dict[str, int] = {}
    patients: set[str] = set()
    earlier: set[View] = set()
    is_known = False
    for table, known in _tables(con, context, view):
        is_known |= view in known
        wider = {known_view for known_view in known if not view.includes(known_view)}
        if not wider:
            continue
        earlier |= wider
        unseen = _unseen(
            con,
            table,
            context,
            included=[known_view.key for known_view in known if view.includes(known_view)],
            view=view,
        )
        if missing := [key for key, _, is_missing in unseen if is_missing]:
            keys[table.name] = missing
        if len(unseen) > len(missing):
            unread[table.name] = len(unseen) - len(missing)
        patients |= {patient for _, patient, is_missing in unseen if patient and is_missing}
    return Acceptance(
        keys=keys, unread=unread, patients=frozenset(patients), earlier=frozenset(earlier), is_known=is_known
    )


def accept(con: duckdb.DuckDBPyConnection, context: Context, view: View, accepted_by: str) -> Acceptance:
    """Accepts the view, in the caller's transaction, and adds a row to `ops.accepted_views`.

    That row holds only counts: a purge must find every row that is about a person. The removed rows have its time as
    `removed_at`.
    """
    staging.set_context(con, context)
    accepted = preview(con, context, view)
    for table, known in _tables(con, context, view):
        if table.name in accepted.keys:
            merge.remove_keys(con, table, accepted.keys[table.name])
        if any(not view.includes(known_view) for known_view in known):
            _make_only_view(con, table, context, view)
    earlier = [
        {"user_id": earlier_view.user_id, "scopes": sorted(earlier_view.scopes)} for earlier_view in accepted.earlier
    ]
    con.execute(
        "INSERT INTO ops.accepted_views (clinic_id, accepted_at, accepted_by, user_id, scopes, earlier, removed) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            context.clinic_id,
            context.observed_at,
            accepted_by,
            view.user_id,
            join_scopes(view.scopes),
            json.dumps(sorted(earlier, key=str)),
            json.dumps({name: len(keys) for name, keys in accepted.keys.items()}),
        ],
    )
    return accepted


def _tables(con: duckdb.DuckDBPyConnection, context: Context, view: View) -> Iterator[tuple[Table, list[View]]]:
    """Yields the clinic's tables, and those of its region that this view has read, each with its views."""
    for table in ALL_TABLES:
        known = known_views(con, table.name, _owner(table, context))
        if known and (table.scope == "clinic" or view in known):
            yield table, known


def _unseen(
    con: duckdb.DuckDBPyConnection, table: Table, context: Context, included: list[str], view: View
) -> list[tuple[str, str | None, bool]]:
    """Rows that no listing of this view has shown: the key, the patient, and whether a listing has lacked the row."""
    names = {*table.key_columns, *(column.name for column in table.columns)}
    patient = "s.patient_id" if "patient_id" in names else "NULL"
    key = table.record_key("s")
    named = "x.table_name = $name AND coalesce(x.clinic_id, x.region) = $owner"
    return con.execute(
        f"SELECT {key} AS record_key, {patient}, EXISTS (SELECT 1 FROM ops.view_missing x WHERE {named} "
        f"AND x.view = $view AND x.record_key = {key}) FROM {table.stored_in} s WHERE s.{table.scope_column} = $owner "
        f"AND s.removed_at IS NULL{versions.latest(table)} AND NOT EXISTS (SELECT 1 FROM ops.view_sightings x "
        f"WHERE {named} AND x.listed AND list_contains($included, x.view) AND x.record_key = {key}) ORDER BY 1",
        {"owner": _owner(table, context), "name": table.name, "view": view.key, "included": included},
    ).fetchall()


def _make_only_view(con: duckdb.DuckDBPyConnection, table: Table, context: Context, view: View) -> None:
    """Makes this view the only one of the table, so that it counts as having seen every row."""
    owner = _owner(table, context)
    for name in ("ops.views", "ops.view_sightings", "ops.view_missing"):
        con.execute(f"DELETE FROM {name} WHERE table_name = ? AND coalesce(clinic_id, region) = ?", [table.name, owner])
    con.execute(
        "INSERT INTO ops.views VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            context.clinic_id if table.scope == "clinic" else None,
            context.region,
            table.name,
            view.key,
            view.clinic_id,
            view.user_id,
            join_scopes(view.scopes),
            join_scopes(view.lacks),
            context.observed_at,
            None,
        ],
    )


def _owner(table: Table, context: Context) -> str:
    return (context.clinic_id if table.scope == "clinic" else None) or context.region
