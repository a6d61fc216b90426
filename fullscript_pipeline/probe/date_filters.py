"""Finds out what a date filter means: whether its edges count, and in which time zone a day begins.

It compares counts of rows, and one page of a day's rows with their own times. What does not belong here: what the
pipeline makes of it (`assumptions`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone

from fullscript_pipeline.probe.answer_rows import Row, find_rows
from fullscript_pipeline.probe.probe_report import SeenFilter
from fullscript_pipeline.probe.request_exchange import Exchange
from fullscript_pipeline.resources.types import Endpoint

FILTER_REQUESTS = 5
# The offsets of North America, and of what else a server may count by.
_OFFSETS = (*(float(hours) for hours in range(-10, -2)), -3.5, -2.5, 0.0)
# Hours of UTC that belong to the day before in North America.
_EARLY_HOURS = 3
_NEWEST = {"page[size]": "100", "page[number]": "1", "order_by": "DESC"}


def filter_of(endpoint: Endpoint) -> str | None:
    """The name of the date filter of a list, if it has one that it also sorts by."""
    times = [name for name in endpoint.filters if name.endswith("_at")]
    return times[0] if times and endpoint.kind == "list" else None


def probe_filter(exchange: Exchange, endpoint: Endpoint, name: str) -> SeenFilter:
    """Five requests at most; fewer if the list is empty or says no times."""
    seen = SeenFilter()
    newest = exchange.get(endpoint, {}, {**_NEWEST, "sort_by": name})
    if newest.outcome != "answered":
        return seen
    found = find_rows(endpoint, newest.body)
    seen.total = found.total_count
    times = row_times(found.rows, name)
    if not times:
        return seen
    day = _telling_day(times)
    listed = exchange.get(endpoint, {}, {**_NEWEST, "sort_by": name, name: str(day)})
    if listed.outcome == "answered":
        rows = find_rows(endpoint, listed.body)
        seen.on = rows.total_count
        inside = row_times(rows.rows, name)
        if len(inside) == seen.on:
            around = [time for time in times if abs((time.date() - day).days) <= 1]
            seen.offsets = [hours for hours in _OFFSETS if _explains(hours, day, inside=inside, around=around)]
    seen.before = _count(exchange, endpoint, {name: f"<{day}"})
    seen.after = _count(exchange, endpoint, {name: f">{day}"})
    seen.one_day_range = _count(exchange, endpoint, {name: f"{day}..{day}"})
    return seen


def row_times(rows: Sequence[Row], name: str) -> list[datetime]:
    """The times of rows that say one, in UTC."""
    return [time for row in rows if (time := read_time(row.get(name))) is not None]


def read_time(value: object) -> datetime | None:
    """Reads a time in any of the usual forms; None without an offset, since it names no instant then."""
    if not isinstance(value, str):
        return None
    text = value.replace(" UTC", "+00:00")
    try:
        time = datetime.fromisoformat(text if " " not in text[11:] else "".join(text.rsplit(" ", 1)))
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None


def _telling_day(times: list[datetime]) -> date:
    """A day with a row in the first hours of UTC, which belong to another day in North America; else the middle."""
    counts: dict[date, int] = {}
    for time in times[1:]:
        if time.hour < _EARLY_HOURS:
            counts[time.date()] = counts.get(time.date(), 0) + 1
    days = sorted(counts, key=lambda day: (-counts[day], day))
    return days[0] if days else times[len(times) // 2].date()


def _explains(hours: float, day: date, *, inside: list[datetime], around: list[datetime]) -> bool:
    """Whether the days of this offset explain which rows the filter lists and which it leaves out."""
    zone = timezone(timedelta(hours=hours))
    expected = [time for time in around if time.astimezone(zone).date() == day]
    return all(time.astimezone(zone).date() == day for time in inside) and len(expected) <= len(inside)


def _count(exchange: Exchange, endpoint: Endpoint, params: dict[str, str]) -> int | None:
    answer = exchange.get(endpoint, {}, {**params, "page[number]": "1", "page[size]": "1"})
    return find_rows(endpoint, answer.body).total_count if answer.outcome == "answered" else None
