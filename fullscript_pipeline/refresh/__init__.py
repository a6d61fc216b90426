"""What changed since we last looked, and what to fetch for it: plain functions that sensor and command line both call.

What does not belong here: Dagster, how a resource is fetched and loaded (`extraction`).
"""

from fullscript_pipeline.refresh.backlog import Unhandled, unhandled
from fullscript_pipeline.refresh.cost_plan import poll_seconds
from fullscript_pipeline.refresh.event_handling import Refreshed, handle_events, handled
from fullscript_pipeline.refresh.event_notices import Notice, notices
from fullscript_pipeline.refresh.feed_polling import (
    Round,
    asked,
    due_events,
    feeds_to_look_at,
    poll_feeds,
    waiting,
    was_pulled,
)
from fullscript_pipeline.refresh.full_resync import Freshness, freshness, full_sweep, sweep_wanted, swept
from fullscript_pipeline.refresh.inbox_ingest import Drained, drain
from fullscript_pipeline.refresh.inbox_room import InboxRoom, inbox_room
from fullscript_pipeline.refresh.lab_poll import poll_cost, poll_labs, polls_now, read_moved_labs, watch_labs
from fullscript_pipeline.refresh.reconcile import Reconciled, is_due, reconcile
from fullscript_pipeline.refresh.webhook_diagnosis import undelivered_webhooks

__all__ = [
    "Drained",
    "Freshness",
    "InboxRoom",
    "Notice",
    "Reconciled",
    "Refreshed",
    "Round",
    "Unhandled",
    "asked",
    "drain",
    "due_events",
    "feeds_to_look_at",
    "freshness",
    "full_sweep",
    "handle_events",
    "handled",
    "inbox_room",
    "is_due",
    "notices",
    "poll_cost",
    "poll_feeds",
    "poll_labs",
    "poll_seconds",
    "polls_now",
    "read_moved_labs",
    "reconcile",
    "sweep_wanted",
    "swept",
    "undelivered_webhooks",
    "unhandled",
    "waiting",
    "was_pulled",
    "watch_labs",
]
