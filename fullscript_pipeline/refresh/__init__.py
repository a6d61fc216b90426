"""What changed since we last looked, and what to fetch for it: plain functions that sensor and command line both call.

What does not belong here: Dagster, how a resource is fetched and loaded (`extraction`).
"""

from fullscript_pipeline.refresh.apply import Refreshed, apply, handled
from fullscript_pipeline.refresh.backlog import Unhandled, unhandled
from fullscript_pipeline.refresh.inbox import Drained, drain
from fullscript_pipeline.refresh.inbox_room import InboxRoom, inbox_room
from fullscript_pipeline.refresh.lab_poll import poll_cost, poll_labs, polls_now, read_moved_labs, watch_labs
from fullscript_pipeline.refresh.look import Round, asked, due_events, feeds_to_look_at, look, waiting, was_pulled
from fullscript_pipeline.refresh.notices import Notice, notices
from fullscript_pipeline.refresh.plan import poll_seconds
from fullscript_pipeline.refresh.reconcile import Reconciled, is_due, reconcile
from fullscript_pipeline.refresh.silence import silences
from fullscript_pipeline.refresh.sweep import Freshness, freshness, full_sweep, sweep_wanted, swept

__all__ = [
    "Drained",
    "Freshness",
    "InboxRoom",
    "Notice",
    "Reconciled",
    "Refreshed",
    "Round",
    "Unhandled",
    "apply",
    "asked",
    "drain",
    "due_events",
    "feeds_to_look_at",
    "freshness",
    "full_sweep",
    "handled",
    "inbox_room",
    "is_due",
    "look",
    "notices",
    "poll_cost",
    "poll_labs",
    "poll_seconds",
    "polls_now",
    "read_moved_labs",
    "reconcile",
    "silences",
    "sweep_wanted",
    "swept",
    "unhandled",
    "waiting",
    "was_pulled",
    "watch_labs",
]
