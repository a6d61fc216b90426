"""Finds what changed since the last poll, and fetches it: plain functions for sensors and command line.

What does not belong here: Dagster, how a resource is fetched and loaded (`extraction`).
"""

from fullscript_pipeline.refresh.backlog import UnhandledEvents, unhandled_events
from fullscript_pipeline.refresh.cost_plan import poll_seconds
from fullscript_pipeline.refresh.event_handling import RefreshResult, handle_events, mark_refresh_done
from fullscript_pipeline.refresh.event_notices import Notice, list_notices
from fullscript_pipeline.refresh.feed_polling import (
    RefreshRequest,
    due_events,
    has_been_pulled,
    mark_run_requested,
    poll_feeds,
    polled_feeds,
    request_for_due_events,
)
from fullscript_pipeline.refresh.full_resync import (
    Freshness,
    feed_freshness,
    mark_resync_done,
    pending_resync_span,
    resync_clinic,
)
from fullscript_pipeline.refresh.inbox_ingest import IngestResult, ingest_inbox
from fullscript_pipeline.refresh.inbox_room import InboxRoom, measure_inbox
from fullscript_pipeline.refresh.lab_poll import (
    choose_lab_polls,
    fetch_moved_labs,
    lab_poll_cost,
    poll_labs,
    watch_labs,
)
from fullscript_pipeline.refresh.patient_read import read_patient
from fullscript_pipeline.refresh.reconcile import ReconcileResult, is_reconcile_due, reconcile
from fullscript_pipeline.refresh.webhook_diagnosis import undelivered_webhooks

__all__ = [
    "Freshness",
    "InboxRoom",
    "IngestResult",
    "Notice",
    "ReconcileResult",
    "RefreshRequest",
    "RefreshResult",
    "UnhandledEvents",
    "choose_lab_polls",
    "due_events",
    "feed_freshness",
    "fetch_moved_labs",
    "handle_events",
    "has_been_pulled",
    "ingest_inbox",
    "is_reconcile_due",
    "lab_poll_cost",
    "list_notices",
    "mark_refresh_done",
    "mark_resync_done",
    "mark_run_requested",
    "measure_inbox",
    "pending_resync_span",
    "poll_feeds",
    "poll_labs",
    "poll_seconds",
    "polled_feeds",
    "read_patient",
    "reconcile",
    "request_for_due_events",
    "resync_clinic",
    "undelivered_webhooks",
    "unhandled_events",
    "watch_labs",
]
