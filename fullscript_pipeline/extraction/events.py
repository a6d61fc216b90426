"""Event feeds: what happened, by id; a doorbell for what to read again, and the dates of plan changes.

Only plan events need their detail in a daily pull: it names the plan and the day of an activation, a cancellation or a
dose change. Orders, patients and labs are listed anyway. What does not belong here: deciding on a refresh (`refresh`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.pull import Load, Pull, Report, Target, in_parallel
from fullscript_pipeline.state import LedgerEvent, StateStore
from fullscript_pipeline.warehouse.events import EVENTS, RESOURCE_PATHS
from fullscript_pipeline.warehouse.landing import Line, canonical, content_hash

FEEDS = ("patient_events", "treatment_plan_events", "order_events", "lab_order_events", "product_events")
# The filter's edges and zone are not documented: a day for `>` that leaves its day out, a day for another zone. The
# ledger makes a repeated listing cost nothing but its pages.
OVERLAP = timedelta(days=2)


@dataclass(frozen=True)
class SeenEvent:
    """An event as a feed lists it. `type` may be missing there; `resource_id` is known from the detail only."""

    event_id: str
    type: str | None
    created_at: str | None
    resource_id: str | None = None


def feeds_of(region: str) -> Sequence[str]:
    """Labs exist in the US only."""
    return [feed for feed in FEEDS if feed != "lab_order_events" or region == "us"]


def since(store: StateStore, session: ClinicSession, feed: str) -> dict[str, str]:
    """The filter that lists what is new in a feed, two days of overlap included; everything the first time."""
    position = store.cursor(session.clinic.server, session.clinic.clinic_id, feed)
    if position is None:
        return {}
    return {"created_at": f">{date.fromisoformat(position) - OVERLAP}"}


def pull_events(target: Target, session: ClinicSession, store: StateStore) -> Report:
    """Lists the feeds and reads the details of new plan events; `touched_today` tells which plans they are about."""
    pull = Pull(target, "events")
    refused: list[str] = []
    for feed in feeds_of(target.region):
        try:
            pull.walk(session, feed, params=since(store, session, feed))
        except (ScopeError, NotFound) as refusal:
            refused.append(str(refusal))
    if len(refused) == len(feeds_of(target.region)):
        return pull.not_available(refused[0])
    listed = {line.id: line for feed in FEEDS for line in pull.file.lines(feed)}
    new = _not_handled(store, session, listed)
    detailed = [one for one in listed if one in new and _concerns_a_plan(listed[one])]
    report = load_events(pull, session, detailed, [listed[one] for one in listed if one in new])
    events = [event_of(line) for line in _newest(pull, [listed[one] for one in listed if one in new])]
    _remember(store, session, target.day, events)
    return report


def touched_today(target: Target, clinic_id: str) -> list[str]:
    """The plans that today's events are about, as the events step left them in the warehouse."""
    with target.warehouse.read() as con:
        rows = con.execute(
            """SELECT DISTINCT resource_id FROM core.events
            WHERE clinic_id = $clinic AND event_type LIKE 'treatment_plan.%' AND resource_id IS NOT NULL
            AND observed_at >= (SELECT max(observed_at) FROM ops.pulls
                WHERE clinic_id = $clinic AND resource = 'events' AND outcome = 'loaded')""",
            {"clinic": clinic_id},
        ).fetchall()
    return [plan for (plan,) in rows]


def load_events(pull: Pull, session: ClinicSession, detailed: Iterable[str], listed: Sequence[Line]) -> Report:
    """Reads these events' details and commits them with the merely listed ones."""
    in_parallel(lambda event: pull.one(session, "event", event), detailed)
    return pull.commit(
        Load(EVENTS, lambda: (line for line in _newest(pull, listed) if _has_clinic(line))),
        Load(EVENTS, lambda: (line for line in _newest(pull, listed) if not _has_clinic(line)), of_no_clinic=True),
    )


def landed_details(pull: Pull) -> list[SeenEvent]:
    return [event_of(line) for line in pull.file.lines("event")]


def event_of(line: Line) -> SeenEvent:
    record = orjson.loads(line.record)
    return SeenEvent(line.id, record.get("type"), record.get("created_at"), _resource_id(record))


def touched(events: Iterable[SeenEvent], prefix: str) -> list[str]:
    """The objects that events of this family are about, each once."""
    return list(
        dict.fromkeys(
            event.resource_id for event in events if event.resource_id and (event.type or "").startswith(prefix)
        )
    )


def _not_handled(store: StateStore, session: ClinicSession, listed: Iterable[str]) -> set[str]:
    """Events the ledger does not have, and those that a sensor noted but no run has handled yet."""
    server, clinic_id = session.clinic.server, session.clinic.clinic_id
    pending = {event.event_id for event in store.pending_events(server, clinic_id)}
    return {*store.unseen_events(server, clinic_id, listed), *pending.intersection(listed)}


def _newest(pull: Pull, listed: Sequence[Line]) -> Iterator[Line]:
    """The detail where there is one, else the row of the feed; marked as seen by the feed."""
    details = {line.id: line for line in pull.file.lines("event")}
    merged = {line.id: line for line in listed} | details
    return (_marked(line) for line in merged.values())


def _marked(line: Line) -> Line:
    text = canonical({**orjson.loads(line.record), "seen_by": "feed"})
    return replace(line, record=text, hash=content_hash(text), parent_id=None)


def _concerns_a_plan(line: Line) -> bool:
    kind = orjson.loads(line.record).get("type")
    return kind is None or str(kind).startswith("treatment_plan.")


def _has_clinic(line: Line) -> bool:
    record = orjson.loads(line.record)
    return bool(record.get("clinic_id")) or not str(record.get("type") or "").startswith("product.")


def _resource_id(record: Mapping[str, Any]) -> str | None:
    for path in RESOURCE_PATHS:
        value: Any = record
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value not in (None, ""):
            return str(value)
    return None


def _remember(store: StateStore, session: ClinicSession, day: date, events: Sequence[SeenEvent]) -> None:
    """After the commit: these need no further run, and the feeds are read up to this day."""
    server, clinic_id = session.clinic.server, session.clinic.clinic_id
    store.record_events(
        LedgerEvent(server, clinic_id, event.event_id, event.type, event.resource_id, event.created_at)
        for event in events
    )
    store.mark_processed(server, clinic_id, [event.event_id for event in events])
    for feed in FEEDS:
        store.set_cursor(server, clinic_id, feed, day.isoformat())
