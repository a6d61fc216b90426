"""Details of events: which of them to read, and what they add to the rows of the feeds.

A detail names the object of an event and the day of a change. What does not belong here: listing the feeds and storing
the events (`event_feeds`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import orjson

from fullscript_pipeline.api import BadResponse, ClinicSession, ScopeError, ServerError
from fullscript_pipeline.extraction.engine import Pull, in_parallel
from fullscript_pipeline.extraction.event_proof import OBJECTS, object_id_in, type_prefix
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import UNKEYED, Line, canonical, content_hash
from fullscript_pipeline.warehouse.event_log import READABLE_AFTER, event_proof

# A pull reads at most so many details of events that lists will answer.
MOST_DETAILS = event_proof.MANY
# After more failures it is the endpoint, not the event.
MOST_FAILURES = 3


def choose_detailed(new: Iterable[Line], now: datetime) -> list[str]:
    """Returns the events whose details to read.

    All of plans (their details date changes) and of unknown types. Of the others the newest `MOST_DETAILS` of the last
    day or without a time: older ones are answered by a list."""
    records = {line.id: orjson.loads(line.record) for line in new}
    nameless = {event_id: record for event_id, record in records.items() if object_id_in(record) is None}
    always = [
        event_id
        for event_id, record in nameless.items()
        if type_prefix(record) in {"treatment_plan"} or type_prefix(record) not in OBJECTS
    ]
    since = (now - READABLE_AFTER).date().isoformat()
    recent = {
        event_id: day
        for event_id, record in nameless.items()
        if (day := _day_of(record.get("created_at"))) >= since or not day
    }
    others = sorted(
        (event_id for event_id in recent if event_id not in always),
        key=lambda event_id: (not recent[event_id], recent[event_id]),
    )
    return [*always, *others[-MOST_DETAILS:]]


def land_event_details(pull: Pull, session: ClinicSession, detailed: Iterable[str]) -> set[str]:
    """Lands the details of events. One that the server no longer has, or refuses, is skipped.

    Returns the events whose detail failed (5xx, or an unreadable answer), and the report counts them: one such event
    must not fail a clinic's pull each day. Raises the error of the one after `MOST_FAILURES`.
    """
    failed: set[str] = set()

    def read(event: str) -> None:
        try:
            pull.land_object(session, "event", event)
        except ScopeError:
            return
        except (ServerError, BadResponse):
            if len(failed) >= MOST_FAILURES:
                raise
            failed.add(event)

    in_parallel(read, (event for event in detailed if not event.startswith(UNKEYED)))
    if failed:
        pull.summary.add_caution(
            f"{counted(len(failed), 'detail')} of events could not be read: they wait for the next pull"
        )
    return failed


def landed_details(pull: Pull) -> dict[str, Line]:
    """Returns the landed details by event id."""
    return {line.id: line for line in pull.file.lines("event")}


def merge_details(pull: Pull, listed: Sequence[Line], resources: Mapping[str, str] | None = None) -> Iterator[Line]:
    """Yields the detail of each event, else its feed row, with `seen_by` and the object."""
    reporters = {line.id: orjson.loads(line.record).get("seen_by") for line in listed}
    merged = {line.id: line for line in listed} | landed_details(pull)
    for line in merged.values():
        record = orjson.loads(line.record)
        extra = {"seen_by": reporters.get(line.id) or "feed"}
        if resource := (resources or {}).get(line.id) or object_id_in(record):
            extra["resource_id"] = resource
        text = canonical({**record, **extra})
        yield line._replace(record=text, hash=content_hash(text), parent_id=None)


def stored_with_detail(pull: Pull, events: Sequence[str]) -> set[str]:
    """Returns those of the events that an earlier pull has stored with their detail."""
    if not events or not pull.target.warehouse.exists():
        return set()
    with pull.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT event_id FROM core.events WHERE event_id IN ? AND json_exists(extra, '$.data')", [list(events)]
        ).fetchall()
    return {event for (event,) in rows}


def _day_of(moment: object) -> str:
    """Returns the date part, or '' if the value is no timestamp."""
    try:
        return date.fromisoformat(str(moment)[:10]).isoformat()
    except ValueError:
        return ""
