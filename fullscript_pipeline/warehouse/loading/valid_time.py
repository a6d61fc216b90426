"""Sets the valid time of versions: from the event that announced the change, if there is one.

This holds for clinic objects with events of their own, and for products with their variants. Otherwise a version is
valid from its first observation, and a removal from the observation that lacked the row. `known_at` is when a version
was learned; versions of a key have the same order by either time. What does not belong here: merging (`merge`),
comparing days (the catalog room).
"""

import duckdb

from fullscript_pipeline.event_types import EVENT_FAMILIES, PRODUCT_CREATED
from fullscript_pipeline.resources.types import Table

# The events about the objects of a clinic table.
EVENTS = {family.table: f"{family.prefix}.%" for family in EVENT_FAMILIES if family.name not in (None, "products")}

_OF_CLINIC = """CREATE OR REPLACE TEMP TABLE dated AS
SELECT v.{key} AS id, max(e.created_at) AS since
FROM ctx JOIN {table} v ON v.clinic_id = getvariable('ctx').clinic_id AND v.known_at = ctx.observed_at
JOIN {table} p ON p.clinic_id = getvariable('ctx').clinic_id AND p.{key} = v.{key} AND p.valid_to = v.valid_from
JOIN core.events e ON e.clinic_id = getvariable('ctx').clinic_id AND e.resource_id = v.{key}
    AND e.event_type LIKE '{events}' AND e.created_at > p.known_at AND e.created_at < v.known_at
WHERE v.valid_to IS NULL AND v.removed_at IS NULL AND v.valid_from = ctx.observed_at
GROUP BY ALL"""

# An event can only announce a change that the last read of all products did not show yet. A new product is valid from
# its creation, unless a complete list lacked it since, or the region was never read before.
_OF_REGION = f"""CREATE OR REPLACE TEMP TABLE dated AS
WITH looks AS (
    SELECT max(l.observed_at) AS last_at,
        coalesce(max(l.observed_at) FILTER (l.resource = 'products' AND l.complete), min(l.observed_at)) AS lacked_at
    FROM ops.pulls l JOIN ctx ON ctx.region = l.region AND l.observed_at < ctx.observed_at
    WHERE l.outcome = 'loaded' AND l.resource IN ('products', 'products_by_id')
),
rung AS (
    SELECT event_type, created_at AS rung_at, resource_id, extra FROM core.events, looks
    WHERE event_type LIKE 'product.%' AND (
        created_at > looks.last_at OR event_type = '{PRODUCT_CREATED.pattern}' AND created_at > looks.lacked_at)
),
told AS (
    SELECT resource_id AS product_id, event_type, rung_at FROM rung WHERE resource_id IS NOT NULL
    UNION
    -- Payloads name variants only.
    SELECT v.product_id, event_type, rung_at FROM ctx, rung, unnest(list_distinct(
        coalesce(json_extract_string(extra, '$.data.product.variants[*].id'), [])
        || coalesce(json_extract_string(extra, '$.data.variants[*].id'), []))) AS named(variant_id)
    JOIN history.variants v ON v.region = ctx.region AND v.variant_id = named.variant_id AND v.valid_to IS NULL
)
SELECT v.product_id AS id, max(t.rung_at) AS since
FROM ctx CROSS JOIN looks
JOIN history.products v ON v.region = ctx.region AND v.known_at = ctx.observed_at
LEFT JOIN history.products p ON p.region = v.region AND p.product_id = v.product_id AND p.valid_to = v.valid_from
JOIN told t ON t.product_id = v.product_id AND t.rung_at < v.known_at AND (
    t.rung_at > greatest(looks.last_at, p.known_at)
    OR p.product_id IS NULL AND t.event_type = '{PRODUCT_CREATED.pattern}' AND t.rung_at > looks.lacked_at)
WHERE v.valid_to IS NULL AND v.removed_at IS NULL AND v.valid_from = ctx.observed_at
GROUP BY ALL"""


def date_versions(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Sets `valid_from` of the versions that this load opened; the version before ends there, so no gap appears.

    Of several events since the previous version was learned, the last one counts.
    """
    if table.history and table.name in EVENTS:
        con.execute(_OF_CLINIC.format(key=table.key[-1], table=table.stored_in, events=EVENTS[table.name]))
    elif table.name == "products":
        con.execute(_OF_REGION)
    else:
        return
    if con.execute("SELECT 1 FROM dated LIMIT 1").fetchone():
        _move(con, table, table.key[-1])
        for child in table.children:
            if child.table.history:
                _move(con, child.table, child.parent_column)


def _move(con: duckdb.DuckDBPyConnection, table: Table, column: str) -> None:
    """Moves the begin of the new versions, and the end of those before, to the event.

    Also for a line that had another parent before; a line that was learned after the event is not moved.
    """
    keys = ", ".join(f"s.{name}" for name in table.key_columns)
    same = " AND ".join(f"{{0}}.{name} = s.{name}" for name in table.key_columns)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE moved AS SELECT {keys}, d.since FROM {table.stored_in} s
        JOIN ctx ON s.{table.scope_column} = ctx.{table.scope_column} JOIN dated d ON s.{column} = d.id
        WHERE s.valid_to IS NULL AND s.valid_from = ctx.observed_at AND NOT EXISTS (
            SELECT 1 FROM {table.stored_in} o WHERE {same.format("o")} AND o.valid_to = ctx.observed_at
            AND o.known_at >= d.since)"""
    )
    for moved, at in (("valid_to", "true"), ("valid_from", "s.valid_to IS NULL")):
        con.execute(
            f"UPDATE {table.stored_in} AS s SET {moved} = m.since FROM moved m, ctx "
            f"WHERE {same.format('m')} AND s.{moved} = ctx.observed_at AND {at}"
        )
