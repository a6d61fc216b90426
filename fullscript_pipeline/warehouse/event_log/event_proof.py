"""Which events a load has answered: the one place that decides it, in the transaction that stores the objects.

An event is answered when its object was read after the event was asked for and is stored as it was read (`stored`); or
is marked removed because its id and a fresh list that should hold it both lack it (`gone`). One that names no object is
answered when everything that it can be about was listed a day or more after it (`relisted`). What is in quarantine,
was kept as stored without a look, or came before, answers nothing. An object that the server refuses makes its event
`unreadable`. What does not belong here: reading (`extraction`), when it is tried again (`state.event_tries`), what
earlier looks have answered (`event_history`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import duckdb
import pyarrow as pa

from fullscript_pipeline.event_types import KINDS, kind_of
from fullscript_pipeline.resources.types import Table

# An object may be told before it can be read; this long afterwards a list that should hold it does.
READABLE_AFTER = timedelta(days=1)
# How far the server's clock may differ from ours without our minding it.
CLOCKS_DIFFER = timedelta(minutes=10)
# More events than this are not read one by one where a list brings their objects.
MANY = 100
_TABLES = frozenset(kind.table for kind in KINDS if kind.family)


@dataclass(frozen=True)
class Proof:
    """What a load's reading is worth: nothing of it was read before `read_since`.

    `gone`: ids that neither their detail nor a list that should hold them shows; `unread`: ids that were listed and
    kept as stored; `refused`: ids that the server does not show (403). `covers_events`: the lines are all that an event
    since the last complete look can be about; `answers`: events without an object for each of which something new came.
    `left_out`: ids of objects that are there and not to be stored.
    """

    read_since: datetime
    gone: Collection[str] = ()
    unread: Collection[str] = ()
    covers_events: bool = False
    refused: Collection[str] = ()
    answers: Collection[str] = ()
    left_out: Collection[str] = ()


class PendingEvent(NamedTuple):
    """An event that nothing has answered yet; without a time of its own it happened when it was first stored."""

    event_id: str
    clinic_id: str | None
    event_type: str | None
    object_id: str | None
    happened_at: datetime
    variants: Sequence[str] = ()

    @property
    def is_readable_since(self) -> datetime:
        """From when on a whole list holds what it is about. A feed's row of a product event names nothing, and tells of
        one of all products; one that names its variants is about these."""
        is_any_product = is_of_kind(self.event_type, "products") and not self.variants
        return self.happened_at + (CLOCKS_DIFFER if is_any_product else READABLE_AFTER)


class _State(NamedTuple):
    """How an object stands after the load."""

    object_id: str
    came: bool
    is_current: bool
    is_removed: bool
    is_removed_now: bool


def reopen_events(con: duckdb.DuckDBPyConnection, event_ids: Iterable[str], moment: datetime) -> None:
    """The objects of these stored events are to be read after `moment`, whatever was answered before."""
    con.execute(
        "UPDATE core.events SET processed_at = NULL, outcome = NULL, last_try_at = ? "
        "FROM ctx WHERE event_id IN (SELECT unnest(?::VARCHAR[])) AND coalesce(core.events.clinic_id, ctx.clinic_id) "
        "IS NOT DISTINCT FROM ctx.clinic_id",
        [moment, list(event_ids)],
    )


def awaited_objects(con: duckdb.DuckDBPyConnection, clinic_id: str, table: Table) -> list[str]:
    """The objects of a clinic's table that events wait for; an event of a type that nobody has documented counts when
    its object is stored there."""
    rows = con.execute(
        f"SELECT DISTINCT e.resource_id, e.event_type, s.{table.key[-1]} IS NOT NULL FROM core.events e "
        f"LEFT JOIN core.{table.name} s ON s.clinic_id = e.clinic_id AND s.{table.key[-1]} = e.resource_id "
        "WHERE e.clinic_id = ? AND e.processed_at IS NULL AND e.outcome IS NULL AND e.resource_id IS NOT NULL "
        "ORDER BY ALL",
        [clinic_id],
    ).fetchall()
    return list(dict.fromkeys(object_id for object_id, kind, is_stored in rows if is_of(table, kind) or is_stored))


def answered_by_count(con: duckdb.DuckDBPyConnection, clinic_id: str, table: Table, new: int) -> list[str]:
    """Events that wait and name no object, when they are too many for their details: a whole list answers all of them
    if it brought as many new objects as they tell of (`new`)."""
    rows = con.execute(
        "SELECT event_id, event_type FROM core.events WHERE clinic_id = ? AND processed_at IS NULL "
        "AND outcome IS NULL AND resource_id IS NULL ORDER BY ALL",
        [clinic_id],
    ).fetchall()
    unnamed = {event_id: kind for event_id, kind in rows if is_of(table, kind)}
    expected = sum(not str(kind).endswith(".updated") for kind in unnamed.values())
    return list(unnamed) if len(unnamed) > MANY and new >= expected else []


def answer_events(con: duckdb.DuckDBPyConnection, table: Table, proof: Proof) -> None:
    """After a load of `table` (its temp tables `ctx` and `newest` are there): answers the events that it can."""
    if table.name not in _TABLES:
        return
    waiting = [event for event in _pending_events(con, table, proof.read_since) if _may_be_of(table, event.event_type)]
    if not waiting:
        return
    states = _states(con, table, [event.object_id for event in waiting if event.object_id])
    answered = [(event, outcome) for event in waiting if (outcome := _outcome(table, event, states, proof))]
    record_outcomes(con, [(event.event_id, event.clinic_id, outcome) for event, outcome in answered])


def record_outcomes(con: duckdb.DuckDBPyConnection, answered: Sequence[tuple[str, str | None, str]]) -> None:
    """Writes outcomes by event and clinic id."""
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
    """Events of this scope that are not answered and were asked for before the reading began."""
    ours = "coalesce(e.clinic_id, ctx.clinic_id) IS NOT DISTINCT FROM ctx.clinic_id"
    if table.scope == "region":
        ours = (
            "(e.clinic_id IS NULL OR e.clinic_id IS NOT DISTINCT FROM ctx.clinic_id OR e.clinic_id IN "
            "(SELECT clinic_id FROM core.clinics WHERE region = ctx.region))"
        )
    rows = con.execute(
        "SELECT e.event_id, e.clinic_id, e.event_type, e.resource_id, coalesce(e.created_at, e.observed_at), "
        f"{VARIANTS} FROM core.events e, ctx WHERE e.processed_at IS NULL "
        f"AND coalesce(e.last_try_at, e.observed_at) <= ? AND {ours}",
        [read_since],
    ).fetchall()
    waiting = [PendingEvent(*row) for row in rows]
    return with_product_ids(con, waiting) if table.scope == "region" else waiting


# Product payloads name variants only.
VARIANTS = """coalesce(json_extract_string(e.extra, '$.data.product.variants[*].id'), [])
    || coalesce(json_extract_string(e.extra, '$.data.variants[*].id'), [])
    || coalesce(json_extract_string(e.extra, '$.variants[*].id'), [])"""


def with_product_ids(con: duckdb.DuckDBPyConnection, waiting: list[PendingEvent]) -> list[PendingEvent]:
    """What is stored tells the product of a variant."""
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
            AND s.{table.scope_column} IS NOT DISTINCT FROM ctx.{table.scope_column}{latest}""",
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
        # Never stored: gone only when it had the time to become readable.
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
    kind = kind_of(event_type)
    return kind is not None and kind.table == table


def _may_be_of(table: Table, event_type: str | None) -> bool:
    """An event of a type that nobody has documented may be about any object that has its id."""
    return kind_of(event_type) is None or is_of(table, event_type)
