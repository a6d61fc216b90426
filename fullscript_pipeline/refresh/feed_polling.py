"""Polls a clinic's event feeds for new events. It lists only: it fetches no detail and opens no DuckDB.

A poll reads each feed newest first and stops at a page without new events: one request per feed when nothing happened.
The hourly reconcile reads to the end, and so finds events that come late or out of order.

What does not belong here: fetching what an event is about (`object_fetch`), reading a feed to its end (`reconcile`).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.api import AuthError, ClinicRef, ClinicSession, FullscriptError, Page, record_ids
from fullscript_pipeline.extraction.event_proof import FeedPosition, event_time, has_unusable_object_id, object_id_in
from fullscript_pipeline.extraction.pulls import FEED_REFUSALS, feeds_of, record_feed_gap
from fullscript_pipeline.ids import UNREQUESTABLE, id_text
from fullscript_pipeline.refresh.cost_plan import MOST_PRODUCT_EVENTS, family_of, is_product_event
from fullscript_pipeline.state import LedgerEvent, StateStore
from fullscript_pipeline.warehouse import UNKEYED, record_key

# A run that was requested this long ago and has not handled its events counts as lost.
RUN_LOST_AFTER = timedelta(minutes=15)
# With more ids in a run's config, pulling the clinic's day is faster.
MOST_IDS = 1000
NEWEST_FIRST = {"sort_by": "created_at", "order_by": "DESC"}


@dataclass(frozen=True, kw_only=True)
class RefreshRequest:
    """The due events of a clinic, for a run to handle. `new_events`: how many this poll found.

    `needs_full_pull`: pulling the clinic's day is cheaper; `needs_catalog_pull`: pulling the region's catalog is.
    `moved_labs`: lab orders whose state a poll found changed. `error`: of a feed that failed while others did not.
    """

    clinic_key: str
    event_ids: tuple[str, ...]
    needs_full_pull: bool = False
    needs_catalog_pull: bool = False
    new_events: int = 0
    moved_labs: int = 0
    error: FullscriptError | None = None


def poll_feeds(session: ClinicSession, store: StateStore, *, include_requested: bool = False) -> RefreshRequest | None:
    """Records new events in the ledger. Returns the due events, None when there are none.

    Returns None for a clinic that has never been pulled: the daily pull comes first. A feed that fails does not stop
    the others. Raises its error when no event is due.
    """
    if not has_been_pulled(store, session.clinic):
        return None
    record_feed_gap(store, session, clock.now().date())
    new_events, trouble = record_new_events(session, store, polled_feeds(store, session.clinic))
    request = request_for_due_events(store, session.clinic, new_events, include_requested=include_requested)
    if request is None and trouble is not None:
        raise trouble
    return replace(request, error=trouble) if request else None


def request_for_due_events(
    store: StateStore, clinic: ClinicRef, new_events: int = 0, *, include_requested: bool = False
) -> RefreshRequest | None:
    """Returns a request for the due events of a clinic: not handled, not part of a recent run request, no later try
    set.

    `include_requested`: also events that a requested run should handle, and those with a later try.
    """
    due = due_events(store, clinic, include_requested=include_requested)
    if not due:
        return None
    of_products = sum(is_product_event(event) for event in due)
    many = len(due) - of_products > MOST_IDS
    ids = tuple(event.event_id for event in due)
    return RefreshRequest(
        clinic_key=clinic.clinic_key,
        event_ids=ids if many else ids[:MOST_IDS],
        needs_full_pull=many,
        needs_catalog_pull=of_products > MOST_PRODUCT_EVENTS,
        new_events=new_events,
    )


def due_events(store: StateStore, clinic: ClinicRef, *, include_requested: bool = False) -> list[LedgerEvent]:
    """Returns what a refresh would try now. `include_requested`: see `request_for_due_events`."""
    pending = [event for event in store.events.pending(clinic.server, clinic.clinic_id) if _is_refreshable(event)]
    return [event for event in pending if include_requested or (_is_due(event) and not _is_run_requested(event))]


def mark_run_requested(store: StateStore, clinic: ClinicRef, request: RefreshRequest) -> str:
    """Records that a run was requested for these events. Returns the run's name, a new one each time."""
    run = f"{request.clinic_key}@{clock.real_now().isoformat()}"
    store.events.mark_run_requested(clinic.server, clinic.clinic_id, request.event_ids, run)
    return run


def has_been_pulled(store: StateStore, clinic: ClinicRef) -> bool:
    """Whether the clinic has had its first daily pull."""
    return store.feeds.position(clinic.server, clinic.clinic_id, "order_events") is not None


def polled_feeds(store: StateStore, clinic: ClinicRef) -> list[str]:
    """Returns the feeds to poll. One clinic of a region polls the product feed; only the reconcile reads clinic
    keys."""
    feeds = [feed for feed in feeds_of(clinic.region) if feed not in {"product_events", "clinic_key_events"}]
    return [*feeds, "product_events"] if product_feed_clinic(store, clinic.server) == clinic.clinic_id else feeds


def product_feed_clinic(store: StateStore, server: str) -> str | None:
    """Returns the id of the clinic that polls the product feed of this server; None when none may."""
    day = clock.now().date()
    for clinic in store.clinics.all():
        fit = (clinic.server, clinic.status) == (server, "ok") and has_been_pulled(store, clinic)
        if fit and store.refusals.reason(clinic, "product_events", day) is None:
            return clinic.clinic_id
    return None


def record_new_events(
    session: ClinicSession, store: StateStore, feeds: Sequence[str], *, to_the_end: bool = False
) -> tuple[int, FullscriptError | None]:
    """Records the new events of these feeds. Returns their number, and the first error of a feed.

    Raises AuthError at once: without a token no feed answers.
    """
    new, trouble = 0, None
    for feed in feeds:
        try:
            new += record_feed_events(session, store, feed, to_the_end=to_the_end)
        except AuthError:
            raise
        except FullscriptError as error:
            trouble = trouble or error
    return new, trouble


def record_feed_events(session: ClinicSession, store: StateStore, feed: str, *, to_the_end: bool = False) -> int:
    """Records a feed's new events. Returns their number.

    `to_the_end`: does not stop at known events. A feed that somebody else read before is always read to the end."""
    clinic, today = session.clinic, clock.now().date()
    if store.refusals.reason(clinic, feed, today) is not None:
        return 0
    position, listed, new = FeedPosition(store, session, feed), _ListedRows(), 0
    reads_to_end = to_the_end or position.was_read_by_others
    try:
        for page in _pages(session, {**position.new_events_filter(), **NEWEST_FIRST}, feed, to_the_end=reads_to_end):
            rows = listed.take(page)
            events = {event.event_id: event for event in (_event_from_row(clinic, feed, row) for row in rows)}
            unseen = store.events.unknown_ids(clinic.server, clinic.clinic_id, events)
            store.events.record(events[event_id] for event_id in unseen)
            new += len(unseen)
            if not reads_to_end and not unseen and _is_newest_first(rows):
                listed.is_cut = True
                break
    except FEED_REFUSALS as refusal:
        store.refusals.record(clinic, feed, today, str(refusal))
        return 0
    position.record_read(today, listed.rows, complete=listed.is_complete, to_the_end=not listed.is_cut)
    return new


@dataclass(kw_only=True)
class _ListedRows:
    """The rows of a feed so far. `is_cut`: reading stopped at known events, so the rows cannot be compared with a
    count."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int | None = None
    nameless: int = 0
    left_out: int = 0
    is_cut: bool = False

    def take(self, page: Page) -> list[dict[str, Any]]:
        """Adds a page. Returns its rows that have an event id."""
        rows = [row for row in page.records if id_text(row.get("id")) is not None]
        self.rows += rows
        self.left_out += len(page.left_out)
        self.nameless += len(page.records) - len(rows)
        self.total = page.total_count if page.total_count is not None else self.total
        return rows

    @property
    def is_complete(self) -> bool:
        """Whether no row is known to be missing."""
        if self.nameless:
            return False
        came = len({str(row["id"]) for row in self.rows}) + self.left_out
        return self.is_cut or self.total is None or came >= self.total


def _pages(session: ClinicSession, params: dict[str, str], feed: str, *, to_the_end: bool) -> Iterator[Page]:
    """Yields all pages in parallel and in any order, or one after the other from the newest on."""
    yield from session.pages(feed, {}, params) if to_the_end else _pages_in_order(session, params, feed)


def _pages_in_order(session: ClinicSession, params: dict[str, str], feed: str) -> Iterator[Page]:
    before: tuple[str, ...] = ()
    for number in itertools.count(1):
        page = next(session.pages(feed, {}, params, first_page=number))
        came = (*record_ids(page.records), *page.left_out)
        # The same page again: the server ignores page numbers, and says each time that another page follows.
        if came == before:
            return
        yield page
        if page.is_last or not came or number >= (page.total_pages or number + 1):
            return
        before = came


def _event_from_row(clinic: ClinicRef, feed: str, row: dict[str, Any]) -> LedgerEvent:
    kind, created = row.get("type"), event_time(row)
    event_id = record_key(row["id"], "")
    # A complete row needs no detail.
    resource = object_id_in(row) if kind and created else None
    is_lost = has_unusable_object_id(row) or (resource is None and event_id.startswith(UNKEYED))
    return LedgerEvent(
        server=clinic.server,
        clinic_id=clinic.clinic_id,
        event_id=event_id,
        event_type=str(kind) if kind else None,
        resource_id=resource,
        created_at=created,
        feed=feed,
        outcome="unreadable" if is_lost else None,
        reason=UNREQUESTABLE if is_lost else None,
    )


def _is_newest_first(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the rows are sorted newest first. Without different times the order cannot be known."""
    times = [row.get("created_at") for row in rows]
    if not all(isinstance(time, str) for time in times):
        return False
    written = [str(time) for time in times]
    return bool(written) and written == sorted(written, reverse=True) and written[0] > written[-1]


def _is_refreshable(event: LedgerEvent) -> bool:
    """Whether a refresh can fetch its object; other events wait for the daily pull."""
    return event.event_type is None or family_of(event) is not None


def _is_due(event: LedgerEvent) -> bool:
    """Whether the event was not tried yet, or its next try is due. After the last try the daily pull handles it."""
    if not event.attempts:
        return True
    return event.next_try_at is not None and event.next_try_at <= clock.real_now()


def _is_run_requested(event: LedgerEvent) -> bool:
    """Whether a run that may still begin was requested for it."""
    _, _, requested_at = (event.asked_run or "").partition("@")
    now = clock.real_now()
    return (now - RUN_LOST_AFTER).isoformat() <= requested_at <= now.isoformat()
