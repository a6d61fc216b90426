"""Probes the event feeds: the order of their rows, and how long after a change its event comes.

What does not belong here: which event means what (`event_types`), the pipeline's own reading of feeds (`refresh`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from fullscript_pipeline.probe.answer_rows import Row, find_rows
from fullscript_pipeline.probe.date_filters import read_time, row_times
from fullscript_pipeline.probe.endpoint_probes import EndpointProbe
from fullscript_pipeline.probe.probe_report import SeenFeed
from fullscript_pipeline.probe.request_exchange import Exchange
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.types import Endpoint

FEED_REQUESTS = 3
_EVENTS = 2
# The names under which the documentation nests an event's data, and the types whose data it does not nest.
_OBJECTS = ("patient", "treatment_plan", "lab_order", "product", "order", "clinic_key")
_DIRECT = ("order.placed", "product.created")
# Times of an object that its event reports, the one that a change sets first.
_CHANGE_TIMES = ("completed_at", "updated_at", "created_at")


def feed_endpoints() -> list[Endpoint]:
    """The feeds of all resources."""
    return [resource.events.feed for resource in ALL_RESOURCES if resource.events is not None]


def probe_feed(exchange: Exchange, probe: EndpointProbe, feed: Endpoint, event: Endpoint) -> SeenFeed:
    """Up to three requests: the feed sorted on request, and two of its events."""
    rows = probe.rows.get(feed.name, [])
    seen = SeenFeed(order=order_of(row_times(rows, "created_at"), len(rows)))
    if not rows:
        return seen
    answer = exchange.get(feed, {}, {"sort_by": "created_at", "order_by": "DESC"})
    listed = find_rows(feed, answer.body).rows if answer.outcome == "answered" else []
    order = order_of(row_times(listed, "created_at"), len(listed))
    seen.follows_sort_by = None if order in ("", "all at once") else order == "newest first"
    _probe_events(exchange, event, listed or rows, seen)
    return seen


def order_of(times: Sequence[datetime], rows: int) -> str:
    """How rows are sorted: "" where they say no times or are too few."""
    if len(times) < 2 or len(times) != rows:
        return ""
    if len(set(times)) == 1:
        return "all at once"
    ascending = list(times) == sorted(times)
    return "oldest first" if ascending else "newest first" if list(times) == sorted(times, reverse=True) else "unsorted"


def is_nested_as_documented(event: Row) -> bool | None:
    """Whether an event's data are nested as documented; None for one that does not show it."""
    data = event.get("data")
    if not isinstance(data, dict) or not isinstance(event.get("type"), str):
        return None
    is_nested = "id" not in data and any(isinstance(data.get(key), dict) for key in _OBJECTS)
    return is_nested != (event["type"] in _DIRECT)


def _probe_events(exchange: Exchange, event: Endpoint, rows: Sequence[Row], seen: SeenFeed) -> None:
    delays: list[float] = []
    nested: list[bool] = []
    for row in rows[:_EVENTS]:
        answer = exchange.get(event, {"id": str(row.get("id", ""))}) if row.get("id") else None
        found = find_rows(event, answer.body).rows if answer and answer.outcome == "answered" else []
        for record in found:
            if (is_nested := is_nested_as_documented(record)) is not None:
                nested.append(is_nested)
            if (delay := _delay(record)) is not None:
                delays.append(delay)
    seen.nested = all(nested) if nested else None
    seen.delays, seen.delay_seconds = len(delays), round(median(delays), 1) if delays else None


def _delay(event: Row) -> float | None:
    """Seconds from the change that an event reports to the event."""
    raised, changed = read_time(event.get("created_at")), _change_time(event.get("data"))
    return (raised - changed).total_seconds() if raised and changed else None


def _change_time(data: Any) -> datetime | None:
    if not isinstance(data, Mapping):
        return None
    inner = next((data[key] for key in _OBJECTS if isinstance(data.get(key), dict)), data)
    return next((time for key in _CHANGE_TIMES if (time := read_time(inner.get(key))) is not None), None)
