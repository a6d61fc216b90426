"""When a change happened: a version counts from the event that told of it, where one did, not from when it was seen.

Only clinic objects with events of their own. The catalog's versions stay where they were seen: its digests compare days
of observation, and date changes by events themselves. A first version counts from when it was first seen, and a
removal from when it was noticed. `known_at` says when a version was learned. What does not belong here: `merge`.
"""

import duckdb

from fullscript_pipeline.warehouse.tables import Table

# The events that tell of a table's objects.
EVENTS = {"treatment_plans": "treatment_plan.%", "lab_orders": "lab_order.%"}


def date_versions(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Dates the versions that this load opened. Versions of a key stay gapless: the one before ends where it begins.

    Of several events since the version before was learned, the last one counts.
    """
    if not table.history or table.name not in EVENTS:
        return
    key = table.key[-1]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE dated AS
        SELECT v.{key} AS id, max(e.created_at) AS since
        FROM ctx JOIN {table.stored_in} v ON v.clinic_id = ctx.clinic_id AND v.known_at = ctx.observed_at
        JOIN {table.stored_in} p ON p.clinic_id = v.clinic_id AND p.{key} = v.{key} AND p.valid_to = v.valid_from
        JOIN core.events e ON e.clinic_id = v.clinic_id AND e.resource_id = v.{key}
            AND e.event_type LIKE '{EVENTS[table.name]}' AND e.created_at > p.known_at AND e.created_at < v.known_at
        WHERE v.valid_to IS NULL AND v.removed_at IS NULL AND v.valid_from = ctx.observed_at
        GROUP BY ALL"""
    )
    if con.execute("SELECT 1 FROM dated LIMIT 1").fetchone():
        _move(con, table, key)
        for child in table.children:
            if child.table.history:
                _move(con, child.table, child.parent_column)


def _move(con: duckdb.DuckDBPyConnection, table: Table, column: str) -> None:
    """The versions opened now, and where they begin the ones before end."""
    ours = f"s.clinic_id = ctx.clinic_id AND s.{column} = d.id"
    for edge in ("valid_to", "valid_from"):
        con.execute(
            f"UPDATE {table.stored_in} AS s SET {edge} = d.since FROM dated d, ctx "
            f"WHERE {ours} AND s.{edge} = ctx.observed_at"
        )
