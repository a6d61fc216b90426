"""Decides which rows a list may prove to be gone: only rows that were seen before under a view that it includes.

A *view* is a user and the scopes of the token. It *includes* another view of the same user with no further scope, and
may prove the absence of rows that an included view has listed. While each view of a table includes all earlier ones,
nothing is stored per row. Once another view reads the table, `ops.view_sightings` stores which view saw which row, and
`ops.view_missing` stores which rows a complete listing lacked without proving their removal. What does not belong here:
marking rows (`merge`), reporting narrower views (`narrower_views`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.loading import versions
from fullscript_pipeline.warehouse.loading.load_context import Context, View

DDL = (
    """CREATE TABLE IF NOT EXISTS ops.views (
        clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, view VARCHAR, viewer_clinic_id VARCHAR, user_id VARCHAR,
        scopes VARCHAR, lacks VARCHAR, first_seen_at TIMESTAMPTZ, last_listed_at TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.view_sightings (
        clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, record_key VARCHAR, view VARCHAR, listed BOOLEAN)""",
    """CREATE TABLE IF NOT EXISTS ops.view_missing (
        clinic_id VARCHAR, region VARCHAR, table_name VARCHAR, record_key VARCHAR, view VARCHAR,
        missing_since TIMESTAMPTZ)""",
    """CREATE TABLE IF NOT EXISTS ops.accepted_views (
        clinic_id VARCHAR, accepted_at TIMESTAMPTZ, accepted_by VARCHAR, user_id VARCHAR, scopes VARCHAR, earlier JSON,
        removed JSON)""",
)


def join_scopes(scopes: Iterable[str]) -> str:
    """Scopes as one text."""
    return " ".join(sorted(scopes))


def common_view(views: Collection[View | None]) -> View | None:
    """What all of these see; None where that is unknown: another user, another clinic, or nothing granted to all."""
    known = [view for view in views if view is not None]
    if not known or len(known) < len(views) or len({(view.clinic_id, view.user_id) for view in known}) > 1:
        return None
    scopes = frozenset.intersection(*(view.scopes for view in known))
    if not scopes and any(view.scopes for view in known):
        return None
    return View(
        clinic_id=known[0].clinic_id,
        user_id=known[0].user_id,
        scopes=scopes,
        lacks=frozenset().union(*(view.lacks for view in known)),
    )


@dataclass(frozen=True, kw_only=True)
class Visibility:
    """Which stored rows of a table the view of a load can prove to be gone.

    `is_full`: it includes every view that has read the table. `is_only`: no other view has ever read it.
    """

    view: View | None = None
    is_full: bool = True
    is_only: bool = True

    def absence_sql(self, table: Table, *, by_id: bool = False) -> str:
        """The SQL condition that absence from a list, or (`by_id`) a 404, proves the stored row `s` to be gone."""
        if self.is_full:
            return "true"
        sighting = (
            f"{_same_scope('v', table)} AND v.record_key = {table.record_key('s')}{'' if by_id else ' AND v.listed'}"
        )
        return f"EXISTS (SELECT 1 FROM ops.view_sightings v JOIN may_prove USING (view) WHERE {sighting})"


def known_views(con: duckdb.DuckDBPyConnection, table_name: str, owner: str) -> list[View]:
    """The views that have read a table of a clinic (its id) or a region, the oldest first."""
    rows = con.execute(
        "SELECT viewer_clinic_id, user_id, scopes, lacks FROM ops.views WHERE table_name = ? "
        "AND coalesce(clinic_id, region) = ? ORDER BY first_seen_at, view",
        [table_name, owner],
    ).fetchall()
    return [stored_view(*row) for row in rows]


def stored_view(clinic_id: str, user_id: str | None, scopes: str, lacks: str) -> View:
    """A view as a row of `ops.views` writes it."""
    return View(clinic_id=clinic_id, user_id=user_id, scopes=frozenset(scopes.split()), lacks=frozenset(lacks.split()))


def register_view(con: duckdb.DuckDBPyConnection, table: Table, context: Context) -> Visibility:
    """Records that the view of `context` reads the table. Call it before the load merges anything."""
    view, owner = context.view, _owner(table, context)
    if view is None or table.key_is_scope or (table.scope == "clinic" and owner is None):
        return Visibility()
    known = known_views(con, table.name, owner or context.region)
    if not known and _has_rows(con, table):
        known = [_earlier_view(con, view, owner)]
        _insert_view(con, table, owner, known[0])
    earlier_views = [earlier_view for earlier_view in known if earlier_view != view]
    is_full = all(view.includes(earlier_view) for earlier_view in earlier_views)
    if view not in known or not is_full:
        _record_earlier_sightings(con, table, earlier_views)
    if view not in known:
        _insert_view(con, table, owner, view)
    if is_full:
        return Visibility(view=view, is_only=not earlier_views)
    included = [known_view.key for known_view in (view, *earlier_views) if view.includes(known_view)]
    con.execute("CREATE OR REPLACE TEMP TABLE may_prove AS SELECT unnest(?::VARCHAR[]) AS view", [included])
    return Visibility(view=view, is_full=False, is_only=False)


def record_sightings(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    visibility: Visibility,
    listed: Iterable[str] | None,
    *,
    is_listing: bool,
) -> None:
    """Records the rows of the temp table `newest` as seen.

    `listed`: the ids that a list showed (None: all). `is_listing`: the load is of a complete list.
    """
    if visibility.view is None or visibility.is_only:
        return
    _forget_returned(con, table)
    if is_listing:
        con.execute(
            f"UPDATE ops.views o SET last_listed_at = ctx.observed_at FROM ctx "
            f"WHERE {_same_scope('o', table)} AND view = ?",
            [visibility.view.key],
        )
    if visibility.is_full:
        return
    con.register("shown", pa.table({"id": pa.array([] if listed is None else list(set(listed)), pa.string())}))
    is_listed = "true" if listed is None else "n.id IN (SELECT id FROM shown)"
    con.execute(
        f"INSERT INTO ops.view_sightings SELECT * FROM (SELECT {_scope_columns(table)}, {table.came_key('n')} "
        f"AS record_key, ? AS view, {is_listed} AS listed FROM newest n, ctx) c "
        f"WHERE NOT EXISTS (SELECT 1 FROM ops.view_sightings v, ctx WHERE {_same_scope('v', table)} "
        "AND (v.record_key, v.view, v.listed) = (c.record_key, c.view, c.listed))",
        [visibility.view.key],
    )
    con.unregister("shown")


def record_missing(con: duckdb.DuckDBPyConnection, table: Table, visibility: Visibility, missing: str) -> int:
    """Records rows that a complete listing lacked and that its view never saw; they stay. Returns how many.

    `missing`: FROM and WHERE of these rows `s`.
    """
    if visibility.is_full or visibility.view is None:
        return 0
    con.execute(f"CREATE OR REPLACE TEMP TABLE unproven AS SELECT {table.record_key('s')} AS record_key {missing}")
    con.execute(
        f"INSERT INTO ops.view_missing SELECT {_scope_columns(table)}, record_key, ?, ctx.observed_at FROM unproven u, "
        f"ctx WHERE NOT EXISTS (SELECT 1 FROM ops.view_missing m WHERE {_same_scope('m', table)} AND m.view = ? "
        "AND m.record_key = u.record_key)",
        [visibility.view.key, visibility.view.key],
    )
    (number,) = con.execute("SELECT count(*) FROM unproven").fetchone() or (0,)
    return int(number)


def _forget_returned(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    con.execute(
        f"DELETE FROM ops.view_missing m USING newest n, ctx WHERE {_same_scope('m', table)} "
        f"AND m.record_key = {table.came_key('n')}"
    )


def _record_earlier_sightings(con: duckdb.DuckDBPyConnection, table: Table, known: Sequence[View]) -> None:
    """Records stored rows without a sighting as seen by the view that includes all others.

    Removed rows too, since they may be listed again.
    """
    widest = next((view for view in known if all(view.includes(known_view) for known_view in known)), None)
    if widest is None:
        return
    con.execute(
        f"INSERT INTO ops.view_sightings SELECT {_scope_columns(table)}, {table.record_key('s')}, ?, true "
        f"FROM {table.stored_in} s, ctx WHERE {versions.scope(table)}{versions.latest(table)} "
        f"AND NOT EXISTS (SELECT 1 FROM ops.view_sightings v WHERE {_same_scope('v', table)} "
        f"AND v.record_key = {table.record_key('s')})",
        [widest.key],
    )


def _insert_view(con: duckdb.DuckDBPyConnection, table: Table, owner: str | None, view: View) -> None:
    """Inserts a view of a table, with the time of its last listing according to `ops.pulls`."""
    con.execute(
        "INSERT INTO ops.views SELECT ?, ctx.region, ?, ?, ?, ?, ?, ?, ctx.observed_at, NULL FROM ctx",
        [owner, table.name, view.key, view.clinic_id, view.user_id, *map(join_scopes, (view.scopes, view.lacks))],
    )
    # Until a second view reads the table, only `ops.pulls` knows when the first view listed it.
    con.execute(
        f"""UPDATE ops.views o SET last_listed_at = (SELECT max(p.observed_at) FROM ops.pulls p
            WHERE p.clinic_id IS NOT DISTINCT FROM o.clinic_id AND p.region = o.region AND p.complete
            AND p.outcome = 'loaded' AND p.resource = o.table_name AND coalesce(p.scopes, o.scopes) = o.scopes
            AND (p.listed_by IS NOT DISTINCT FROM o.user_id OR (p.listed_by IS NULL AND p.scopes IS NULL)))
        FROM ctx WHERE {_same_scope("o", table)} AND o.last_listed_at IS NULL AND o.view <> ?""",
        [view.key],
    )


def _earlier_view(con: duckdb.DuckDBPyConnection, view: View, clinic_id: str | None) -> View:
    """The view of rows from before views were stored: the last user who listed, with unknown scopes."""
    row = con.execute(
        "SELECT listed_by FROM ops.pulls WHERE clinic_id = ? AND complete AND outcome = 'loaded' "
        "AND listed_by IS NOT NULL AND scopes IS NULL ORDER BY observed_at DESC, finished_at DESC LIMIT 1",
        [clinic_id],
    ).fetchone()
    return View(clinic_id=view.clinic_id, user_id=row[0] if row else view.user_id)


def _has_rows(con: duckdb.DuckDBPyConnection, table: Table) -> bool:
    there = con.execute(f"SELECT 1 FROM {table.stored_in} s, ctx WHERE {versions.live(table)} LIMIT 1").fetchone()
    return there is not None


def _owner(table: Table, context: Context) -> str | None:
    return context.clinic_id if table.scope == "clinic" else None


def _clinic(table: Table) -> str:
    return "getvariable('ctx').clinic_id" if table.scope == "clinic" else "NULL"


def _scope_columns(table: Table) -> str:
    return f"{_clinic(table)} AS clinic_id, ctx.region AS region, '{table.name}' AS table_name"


def _same_scope(alias: str, table: Table) -> str:
    return (
        f"{alias}.table_name = '{table.name}' AND {alias}.clinic_id IS NOT DISTINCT FROM {_clinic(table)} "
        f"AND {alias}.region = ctx.region"
    )
