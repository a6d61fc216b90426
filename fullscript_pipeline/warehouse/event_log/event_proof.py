"""Decides which events a load has answered, in the transaction that stores the objects. Only this module decides it.

* `stored`: the object was read after the event was opened, and is stored as it was read.
* `gone`: the object is marked removed, because its id and a fresh list that should hold it both lack it.
* `relisted`: the event names no object, and all that it can be about was listed a day or more after it.
* `unreadable`: the server refuses the object.

A record in quarantine, a record that was kept without a new read, and an earlier read answer nothing. What does not
belong here: reading objects (`extraction`), when a read is retried (`state.event_tries`), what earlier reads have
answered (`event_history`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import duckdb
import pyarrow as pa

from fullscript_pipeline.event_types import EVENT_FAMILIES, event_family
from fullscript_pipeline.resources.types import Table

# An event may arrive before its object can be read; after this time a list that should hold the object does.
READABLE_AFTER = timedelta(days=1)
# The difference between the server's clock and ours that is ignored.
CLOCKS_DIFFER = timedelta(minutes=10)
# With more events than this, a list is read instead of single objects, where there is one.
MANY = 100
# Events of the pull's clinic, and those that name none. Constants let DuckDB skip other clinics' rows.
_OURS = "(e.clinic_id IS NULL OR e.clinic_id = getvariable('ctx').clinic_id)"
_TABLES = frozenset(family.table for family in EVENT_FAMILIES if family.name)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a load proves about events. None of its records was read before `read_since`.

    `gone`: ids that neither their detail nor a list that should hold them returned. `unread`: ids that were listed, and
    whose stored row was kept. `refused`: ids that the server refuses (403). `covers_events`: the lines are all that an
    event since the last complete read can be about. `answers`: events without an object, for each of which a new object
    arrived. `left_out`: ids of existing objects that must not be stored (purged people).
    """

    read_since: datetime
    gone: Collection[str] = ()
    unread: Collection[str] = ()
    covers_events: bool = False
    refused: Collection[str] = ()
    answers: Collection[str] = ()
    left_out: Collection[str] = ()


class PendingEvent(NamedTuple):
    """An event without an outcome. If the event has no time, `happened_at` is when it was first stored."""

    event_id: str
    clinic_id: str | None
    event_type: str | None
    object_id: str | None
    happened_at: datetime
    variants: Sequence[str] = ()

    @property
    def is_readable_since(self) -> datetime:
        """From when on a complete list contains the event's object.

        A product event in a feed names no object and may be about any product, unless it names variants.
        """
        is_any_product = is_of_kind(self.event_type, "products") and not self.variants
        return self.happened_at + (CLOCKS_DIFFER if is_any_product else READABLE_AFTER)


class _State(NamedTuple):
    """The state of an object after the load."""

    object_id: str
    came: bool
    is_current: bool
    is_removed: bool
    is_removed_now: bool


def reopen_events(con: duckdb.DuckDBPyConnection, event_ids: Iterable[str], moment: datetime) -> None:
    """Clears the outcome of these events: their objects must be read after `moment`."""
    con.execute(
        "UPDATE core.events e SET processed_at = NULL, outcome = NULL, last_try_at = ? "
        f"WHERE event_id IN (SELECT unnest(?::VARCHAR[])) AND {_OURS}",
        [moment, list(event_ids)],
    )


def awaited_objects(con: duckdb.DuckDBPyConnection, clinic_id: str, table: Table) -> list[str]:
    """The objects of a clinic's table that events wait for.

    An event of an undocumented type counts if its object is stored in the table.
    """
    rows = con.execute(
        f"SELECT DISTINCT e.resource_id, e.event_type, s.{table.key[-1]} IS NOT NULL FROM core.events e "
        f"LEFT JOIN core.{table.name} s ON s.clinic_id = e.clinic_id AND s.{table.key[-1]} = e.resource_id "
        "WHERE e.clinic_id = ? AND e.processed_at IS NULL AND e.outcome IS NULL AND e.resource_id IS NOT NULL "
        "ORDER BY ALL",
        [clinic_id],
    ).fetchall()
    return list(dict.fromkeys(object_id for object_id, kind, is_stored in rows if is_of(table, kind) or is_stored))


def answered_by_count(con: duckdb.DuckDBPyConnection, clinic_id: str, table: Table, new: int) -> list[str]:
    """Pending events without an object that a complete list answers, if they are too many to fetch their details.

    The list answers all of them if it brought as many new objects (`new`) as these events announce.
    """
    rows = con.execute(
        "SELECT event_id, event_type FROM core.events WHERE clinic_id = ? AND processed_at IS NULL "
        "AND outcome IS NULL AND resource_id IS NULL ORDER BY ALL",
        [clinic_id],
    ).fetchall()
    unnamed = {event_id: kind for event_id, kind in rows if is_of(table, kind)}
    expected = sum(not str(kind).endswith(".updated") for kind in unnamed.values())
    return list(unnamed) if len(unnamed) > MANY and new >= expected else []


def answer_events(con: duckdb.DuckDBPyConnection, table: Table, proof: Proof) -> None:
    """Records the outcome of the events that a load of `table` answers. Reads its temp tables `ctx` and `newest`."""
    if table.name not in _TABLES:
        return
    waiting = [event for event in _pending_events(con, table, proof.read_since) if _may_be_of(table, event.event_type)]
    if not waiting:
        return
    states = _states(con, table, [event.object_id for event in waiting if event.object_id])
    answered = [(event, outcome) for event in waiting if (outcome := _outcome(table, event, states, proof))]
    record_outcomes(con, [(event.event_id, event.clinic_id, outcome) for event, outcome in answered])


def record_outcomes(con: duckdb.DuckDBPyConnection, answered: Sequence[tuple[str, str | None, str]]) -> None:
    """Writes rows of (event id, clinic id, outcome)."""
    if not answered:
        return
    ids, clinics, outcomes = ([row[place] for row in answered] for place in range(3))
    columns = {"event_id": ids, "clinic_id": clinics, "outcome": outcomes}
    con.register("answered", pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}))
    con.execute(
        "UPDATE core.events AS e SET outcome = a.outcome, "
        "processed_at = if(a.outcome = 'unreadable', NULL, ctx.observed_at) FROM answered a, ctx "
        "WHERE e.event_id = a.event_id AND e.clinic_id IS NOT DISTINCT FROM a.clinic_id"
    )
    con.unregister("answered")


def _pending_events(con: duckdb.DuckDBPyConnection, table: Table, read_since: datetime) -> list[PendingEvent]:
    """Events of this scope without an outcome that were opened before the reading began."""
    ours = _OURS
    if table.scope == "region":
        ours = (
            f"({_OURS} OR e.clinic_id IN (SELECT clinic_id FROM core.clinics WHERE region = getvariable('ctx').region))"
        )
    rows = con.execute(
        "SELECT e.event_id, e.clinic_id, e.event_type, e.resource_id, coalesce(e.created_at, e.observed_at), "
        f"{VARIANTS} FROM core.events e WHERE e.processed_at IS NULL "
        f"AND coalesce(e.last_try_at, e.observed_at) <= ? AND {ours}",
        [read_since],
    ).fetchall()
    waiting = [PendingEvent(*row) for row in rows]
    return with_product_ids(con, waiting) if table.scope == "region" else waiting


# The payload of a product event names variants only.
VARIANTS = """coalesce(json_extract_string(e.extra, '$.data.product.variants[*].id'), [])
    || coalesce(json_extract_string(e.extra, '$.data.variants[*].id'), [])
    || coalesce(json_extract_string(e.extra, '$.variants[*].id'), [])"""


def with_product_ids(con: duckdb.DuckDBPyConnection, waiting: list[PendingEvent]) -> list[PendingEvent]:
    """Fills in the product of events that name variants, from the stored variants."""
    variants = {variant for event in waiting if event.object_id is None for variant in event.variants}
    if not variants:
        return waiting
    rows = con.execute(
        "SELECT v.variant_id, v.product_id FROM core.variants v, ctx WHERE v.region = ctx.region "
        "AND v.product_id IS NOT NULL AND v.variant_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL",
        [sorted(variants)],
    ).fetchall()
    products = dict(rows)
    product_by_event = {
        event.event_id: next((products[variant] for variant in event.variants if variant in products), None)
        for event in waiting
    }
    return [event._replace(object_id=event.object_id or product_by_event[event.event_id]) for event in waiting]


def _states(con: duckdb.DuckDBPyConnection, table: Table, ids: Sequence[str]) -> dict[str, _State]:
    latest = " AND s.valid_to IS NULL" if table.history else ""
    rows = con.execute(
        f"""SELECT w.id, n.id IS NOT NULL, coalesce(s.content_hash = n.hash, false), s.removed_at IS NOT NULL,
            coalesce(s.removed_at = ctx.observed_at, false)
        FROM (SELECT DISTINCT unnest(?::VARCHAR[]) AS id) w CROSS JOIN ctx LEFT JOIN newest n ON n.id = w.id
        JOIN {table.stored_in} s ON s.{table.key[-1]} = w.id
            AND s.{table.scope_column} IS NOT DISTINCT FROM getvariable('ctx').{table.scope_column}{latest}""",
        [list(ids)],
    ).fetchall()
    return {row[0]: _State(*row) for row in rows}


def _outcome(table: Table, event: PendingEvent, states: dict[str, _State], proof: Proof) -> str | None:
    is_old = event.is_readable_since <= proof.read_since
    if event.object_id is None:
        is_listed = event.event_id in proof.answers or (is_old and proof.covers_events)
        return "relisted" if is_listed and is_of(table, event.event_type) else None
    if event.object_id in proof.left_out:
        return "ignored"
    if event.object_id in proof.refused:
        return "unreadable"
    state = states.get(event.object_id)
    if state is None:
        # Never stored: it counts as gone only after it had time to become readable.
        return "gone" if is_old and event.object_id in proof.gone else None
    if state.is_removed:
        lacked = state.is_removed_now or event.object_id in proof.gone or (proof.covers_events and not state.came)
        return "gone" if lacked else None
    is_read = state.came and state.is_current and event.object_id not in proof.unread
    return "stored" if is_read else None


def is_of(table: Table, event_type: str | None) -> bool:
    """Whether the type names the kind of object that this table holds."""
    return is_of_kind(event_type, table.name)


def is_of_kind(event_type: str | None, table: str) -> bool:
    """As `is_of`, by the table's name."""
    family = event_family(event_type)
    return family is not None and family.table == table


def _may_be_of(table: Table, event_type: str | None) -> bool:
    """Whether the event can be about this table; one of an undocumented type can be about any object with its id."""
    return event_family(event_type) is None or is_of(table, event_type)
