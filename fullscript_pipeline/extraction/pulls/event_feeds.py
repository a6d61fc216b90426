"""Event feeds: a trigger for what to fetch again, and the dates of plan changes.

Only plan events need their detail in a daily pull: it names the plan and the day of an activation, a cancellation or a
dose change. Orders, patients and labs are listed anyway. What does not belong here: deciding on a refresh (`refresh`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import duckdb
import orjson

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.event_types import EVENT_FAMILIES
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target
from fullscript_pipeline.extraction.event_proof import (
    REACH,
    FeedPosition,
    SeenEvent,
    close_answered_events,
    line_from_ledger,
    parse_event,
    store_event_objects,
)
from fullscript_pipeline.extraction.pulls.event_details import (
    choose_detailed,
    land_event_details,
    landed_details,
    merge_details,
    stored_with_detail,
)
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.events import EVENTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.state import LedgerEvent, StateStore
from fullscript_pipeline.warehouse import Line
from fullscript_pipeline.warehouse.event_log import (
    answer_by_earlier_reads,
    awaited_objects,
    event_proof,
)

# The feed of clinic keys is for old apps only; others may be refused.
FEEDS = tuple(family.feed.name for family in EVENT_FAMILIES)
# Answers to a feed that mean "not for this app": no failure.
FEED_REFUSALS = (ScopeError, NotFound)
# Cursor: the region's run has listed the product feed of this clinic since the clinic was last pulled.
PRODUCT_FEED_CURSOR = "product_events_heard"


def feeds_of(region: str) -> Sequence[str]:
    """The feeds of the objects that a region has."""
    return [
        resource.events.feed.name
        for resource in ALL_RESOURCES
        if resource.events is not None and region in resource.regions
    ]


def pull_events(target: Target, session: ClinicSession, store: StateStore) -> Report:
    """Lists the feeds and reads the details of new plan events. `awaited_plan_ids` returns the plans of these events.

    Events that a sensor recorded and no refresh has handled are handled here, also when no feed lists them again, and
    so are those whose objects were refused. Product events are left to a refresh.
    """
    pull = Pull(target, "events")
    store.tries.reopen_refused(session.clinic)
    record_feed_gap(store, session, target.day)
    read_by_region = store.feeds.position(session.clinic.server, session.clinic.clinic_id, PRODUCT_FEED_CURSOR)
    feeds = [feed for feed in feeds_of(target.region) if not (read_by_region and feed == "product_events")]
    complete, refused = _list_feeds(pull, session, store, feeds)
    new = _new_events(pull, session, store)
    if len(refused) == len(feeds) and not new:
        _record_in_ledger(store, session, [], clock.now())
        _record_feed_positions(pull, session, store, feeds=feeds, complete=complete)
        return pull.record_refusal(refused[0])
    begun_at = clock.now()
    report = load_events(pull, session, choose_detailed(new, begun_at), listed=new)
    _record_in_ledger(store, session, [parse_event(line) for line in merge_details(pull, new)], begun_at)
    close_purged_events(pull, session, store)
    _record_feed_positions(pull, session, store, feeds=feeds, complete=complete)
    close_answered_events(target.warehouse, store, session.clinic)
    return report


def _list_feeds(
    pull: Pull, session: ClinicSession, store: StateStore, feeds: Sequence[str]
) -> tuple[set[str], list[str]]:
    """Lands the new events of the feeds. Returns the feeds that were read completely, and why others were refused."""
    complete: set[str] = set()
    refused: list[str] = []
    for feed in feeds:
        try:
            if pull.walk(session, feed, params=FeedPosition(store, session, feed).new_events_filter()).complete:
                complete.add(feed)
        except FEED_REFUSALS as refusal:
            refused.append(str(refusal))
    return complete, refused


def _new_events(pull: Pull, session: ClinicSession, store: StateStore) -> list[Line]:
    """Returns the listed events that the ledger lacks, and its pending ones that are not of products."""
    server, clinic_id = session.clinic.server, session.clinic.clinic_id
    listed = {line.id: line for feed in FEEDS for line in pull.file.lines(feed)}
    unseen = set(store.events.unknown_ids(server, clinic_id, listed))
    pending = [event for event in store.events.pending(server, clinic_id) if not is_product_event(event)]
    new = {event_id: line for event_id, line in listed.items() if event_id in unseen}
    return list((new | {event.event_id: line_from_ledger(event) for event in pending}).values())


def awaited_plan_ids(target: Target, clinic_id: str) -> list[str]:
    """Returns the plans that events wait for, also those that an earlier pull could not read."""
    with target.warehouse.read() as con:
        return awaited_objects(con, clinic_id, TREATMENT_PLANS)


def load_events(
    pull: Pull,
    session: ClinicSession,
    detailed: Iterable[str],
    *,
    listed: Sequence[Line],
    resources: Mapping[str, str] | None = None,
) -> Report:
    """Reads the details of `detailed` and commits all events, but not those whose details failed.

    `resources`: the objects of events, by event id, when the caller knows them and fetches them next. After the commit
    the events wait for their objects (`warehouse.event_log`).
    """
    begun_at = clock.now()
    failed = land_event_details(pull, session, detailed)
    listed = [line for line in listed if line.id not in failed | pull.summary.left_out("event")]
    ids = [line.id for line in listed]
    # The ledger keeps less of an event than its detail, which an earlier pull has stored.
    with_stored_detail = stored_with_detail(pull, ids) - landed_details(pull).keys()

    def lines() -> Iterator[Line]:
        return (line for line in merge_details(pull, listed, resources or {}) if line.id not in with_stored_detail)

    def after(con: duckdb.DuckDBPyConnection) -> None:
        store_event_objects(con, session.clinic.clinic_id, resources or {})
        event_proof.reopen_events(con, ids, begun_at)
        if resources is None:
            answer_by_earlier_reads(con, set(ids))

    return pull.commit(
        Load(table=EVENTS, lines=lambda: (line for line in lines() if not _has_clinic(line)), of_no_clinic=True),
        Load(table=EVENTS, lines=lambda: (line for line in lines() if _has_clinic(line)), after=after),
    )


def close_purged_events(pull: Pull, session: ClinicSession, store: StateStore) -> frozenset[str]:
    """Closes the events of purged people. Returns their ids."""
    left_out = pull.summary.left_out("event")
    store.tries.close(session.clinic, left_out, "ignored", "it is about somebody who was purged")
    return left_out


def is_product_event(event: LedgerEvent) -> bool:
    return event.feed == "product_events" or (event.event_type or "").startswith("product.")


def record_feed_gap(store: StateStore, session: ClinicSession, today: date) -> str | None:
    """Records the days that no feed lists any more, which requests a full re-sync. Returns them; None: nothing was
    lost.

    A feed reaches 30 days back: after a longer pause the events before that are lost.
    """
    clinic = session.clinic
    positions = [store.feeds.position(clinic.server, clinic.clinic_id, feed) for feed in feeds_of(clinic.region)]
    last = min((date.fromisoformat(position) for position in positions if position), default=today)
    if today - last <= REACH:
        return None
    session.server_clock.require_checked()  # a clock that runs ahead would lose every day
    span = f"{last} to {today - REACH}"
    store.facts.set(f"full_sweep:{clinic.server}:{clinic.clinic_id}", span)
    return span


def _has_clinic(line: Line) -> bool:
    record = orjson.loads(line.record)
    return bool(record.get("clinic_id")) or not str(record.get("type") or "").startswith("product.")


def _record_in_ledger(
    store: StateStore, session: ClinicSession, events: Sequence[SeenEvent], begun_at: datetime
) -> None:
    """Records these events in the ledger as tried by this pull. Call it after the commit."""
    server, clinic_id = session.clinic.server, session.clinic.clinic_id
    store.events.record(
        LedgerEvent(
            server=server,
            clinic_id=clinic_id,
            event_id=event.event_id,
            event_type=event.type,
            resource_id=event.resource_id,
            created_at=event.created_at,
        )
        for event in events
    )
    ids = [event.event_id for event in events]
    store.tries.begin(session.clinic, ids, begun_at)
    store.events.mark_run_requested(
        server, clinic_id, ids, f"{session.clinic.clinic_key}@{clock.real_now().isoformat()}"
    )
    store.events.forget_old()


def _record_feed_positions(
    pull: Pull, session: ClinicSession, store: StateStore, *, feeds: Sequence[str], complete: Collection[str]
) -> None:
    """Records that the feeds are read up to this day. A feed that is not in `complete` was refused, or lacked rows."""
    for feed in feeds:
        rows = (orjson.loads(line.record) for line in pull.file.lines(feed))
        FeedPosition(store, session, feed).record_read(pull.target.day, rows, complete=feed in complete)
    store.feeds.set_position(session.clinic.server, session.clinic.clinic_id, PRODUCT_FEED_CURSOR, "")
