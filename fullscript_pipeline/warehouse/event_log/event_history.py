"""Closes events that earlier reads have answered already: the first read of a feed lists a month of events.

A stored object that was read after its event happened answers that event, even if the event became known later. An
event that names no object is answered by a complete list that was read a day or more after it, by a view that sees no
less than any other view. What does not belong here: what a load answers (`event_proof`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import duckdb

from fullscript_pipeline.event_types import EVENT_FAMILIES, event_family
from fullscript_pipeline.resources.types import EventFamily
from fullscript_pipeline.warehouse.event_log.event_proof import (
    CLOCKS_DIFFER,
    VARIANTS,
    PendingEvent,
    record_outcomes,
    with_product_ids,
)
from fullscript_pipeline.warehouse.loading import narrowings

_READ_AGAIN = tuple(family for family in EVENT_FAMILIES if family.name)
# When each present object of a clinic was last read.
_READ_AT = """SELECT s.{key}, (SELECT max(p.observed_at) FROM ops.pulls p WHERE p.clinic_id = s.clinic_id
    AND p.resource = '{table}' AND p.outcome = 'loaded' AND p.complete)
FROM core.{table} s, ctx WHERE s.clinic_id = getvariable('ctx').clinic_id AND s.removed_at IS NULL AND s.{key} IN ?"""
_PLANS_READ_AT = """SELECT s.treatment_plan_id, r.plans_read_at FROM core.treatment_plans s
JOIN ops.patient_reads r ON r.clinic_id = s.clinic_id AND r.patient_id = s.patient_id
WHERE s.clinic_id = getvariable('ctx').clinic_id AND s.removed_at IS NULL AND s.treatment_plan_id IN ?"""
_PRODUCTS_READ_AT = """SELECT s.product_id, (SELECT max(p.observed_at) FROM ops.pulls p WHERE p.region = s.region
    AND p.resource IN ('products', 'products_by_id') AND p.outcome = 'loaded')
FROM core.products s, ctx WHERE s.region = ctx.region AND s.removed_at IS NULL AND s.product_id IN ?"""
_LISTED_AT = {
    "products": """SELECT max(p.observed_at) FROM ops.pulls p, ctx WHERE p.region = ctx.region AND p.outcome = 'loaded'
        AND p.resource IN ('products', 'products_by_id')""",
    "treatment_plans": """SELECT if(count(*) FILTER (r.plans_read_at IS NULL) = 0, min(r.plans_read_at), NULL)
        FROM core.patients p LEFT JOIN ops.patient_reads r
            ON r.clinic_id = p.clinic_id AND r.patient_id = p.patient_id
        WHERE p.clinic_id = getvariable('ctx').clinic_id AND p.removed_at IS NULL""",
}
_CLINIC_LISTED_AT = """SELECT max(p.observed_at) FROM ops.pulls p, ctx WHERE p.clinic_id = getvariable('ctx').clinic_id
    AND p.resource = '{table}' AND p.outcome = 'loaded' AND p.complete"""


def _is_narrowed(con: duckdb.DuckDBPyConnection, family: EventFamily) -> bool:
    """Whether a clinic's objects were last listed by a view that sees less than an earlier view."""
    (clinic_id,) = con.execute("SELECT clinic_id FROM ctx").fetchone() or (None,)
    return clinic_id is not None and any(narrowing.table == family.table for narrowing in narrowings(con, clinic_id))


def answer_by_earlier_reads(con: duckdb.DuckDBPyConnection, event_ids: Collection[str]) -> None:
    """Records an outcome for those of these stored events (of the scope in `ctx`) that an earlier read answers."""
    waiting = with_product_ids(con, [event for event in _pending_events(con) if event.event_id in event_ids])
    for family in _READ_AGAIN:
        mine = [event for event in waiting if event_family(event.event_type) == family]
        last_reads = _last_reads(con, family, [event.object_id for event in mine if event.object_id is not None])
        reads = ((event, last_reads.get(event.object_id or "")) for event in mine)
        answered = [
            event for event, read_at in reads if read_at is not None and event.happened_at + CLOCKS_DIFFER <= read_at
        ]
        record_outcomes(con, [(event.event_id, event.clinic_id, "stored") for event in answered])
        _answer_unnamed(con, family, mine)


def answer_unnamed(con: duckdb.DuckDBPyConnection) -> None:
    """Closes, at the end of a clinic's pull, the events without an object that complete lists have answered.

    Events of a kind that is not stored are closed as `ignored`, unless they wait for a stored object.
    """
    waiting = _pending_events(con)
    for family in _READ_AGAIN:
        _answer_unnamed(con, family, [event for event in waiting if event_family(event.event_type) == family])
    foreign = [event for event in waiting if event.event_type and event_family(event.event_type) not in _READ_AGAIN]
    record_outcomes(con, [(event.event_id, event.clinic_id, "ignored") for event in foreign])


def refuse_unavailable(con: duckdb.DuckDBPyConnection, clinic_id: str) -> None:
    """Marks events as unreadable whose objects are in a list that the server refused at its last read."""
    rows = con.execute(
        "SELECT resource FROM ops.pulls WHERE clinic_id = ? AND resource IN (SELECT unnest(?::VARCHAR[])) "
        "GROUP BY resource HAVING arg_max(outcome, (observed_at, finished_at)) = 'not_available'",
        [clinic_id, [family.table for family in _READ_AGAIN]],
    ).fetchall()
    for family in _READ_AGAIN:
        if (family.table,) in rows and family.table != "products":
            con.execute(
                "UPDATE core.events SET outcome = 'unreadable' WHERE clinic_id = ? AND processed_at IS NULL "
                "AND outcome IS NULL AND starts_with(event_type, ?)",
                [clinic_id, f"{family.prefix}."],
            )


def _pending_events(con: duckdb.DuckDBPyConnection) -> list[PendingEvent]:
    rows = con.execute(
        "SELECT e.event_id, e.clinic_id, e.event_type, e.resource_id, coalesce(e.created_at, e.observed_at), "
        f"{VARIANTS} FROM core.events e WHERE e.processed_at IS NULL AND e.outcome IS NULL "
        "AND (e.clinic_id IS NULL OR e.clinic_id = getvariable('ctx').clinic_id)"
    ).fetchall()
    return [PendingEvent(*row) for row in rows]


def _answer_unnamed(con: duckdb.DuckDBPyConnection, family: EventFamily, events: Sequence[PendingEvent]) -> None:
    unnamed = [event for event in events if event.object_id is None]
    if not unnamed or _is_narrowed(con, family):
        return
    listed = con.execute(_LISTED_AT.get(family.table) or _CLINIC_LISTED_AT.format(table=family.table)).fetchone()
    if listed and listed[0] is not None:
        old = [event for event in unnamed if event.is_readable_since <= listed[0]]
        record_outcomes(con, [(event.event_id, event.clinic_id, "relisted") for event in old])


def _last_reads(con: duckdb.DuckDBPyConnection, family: EventFamily, ids: Sequence[str]) -> dict[str, datetime]:
    if not ids:
        return {}
    sql = {"products": _PRODUCTS_READ_AT, "treatment_plans": _PLANS_READ_AT}.get(family.table)
    key = {"patients": "patient_id", "orders": "order_id", "lab_orders": "lab_order_id"}.get(family.table, "")
    rows = con.execute(sql or _READ_AT.format(key=key, table=family.table), [list(ids)]).fetchall()
    return {object_id: at for object_id, at in rows if at is not None}
