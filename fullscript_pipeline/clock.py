"""The data's clock: the current time and day for everything that is observed.

`FULLSCRIPT_NOW` moves it for demos and tests. What does not belong here: whatever must follow real time (token life,
OAuth state, webhook tolerance, request budget, locks, retries), which calls `real_now()`.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from fullscript_pipeline.errors import ConfigurationError

# A daily partition may be filled this long after its day has ended: late queues and retries are normal.
GRACE = timedelta(hours=6)


def real_now() -> datetime:
    """The machine's time, UTC."""
    return datetime.now(UTC)


def steady_seconds() -> float:
    """Seconds since this machine booted, independent of its clock; includes suspend where the system supports it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def is_set_by_hand() -> bool:
    """Whether FULLSCRIPT_NOW moves the data's clock on purpose."""
    return bool(_moved_to())


def now() -> datetime:
    """The data's time, UTC: `FULLSCRIPT_NOW` when set (ISO 8601; without an offset it is UTC), else real time.

    Raises ConfigurationError if the variable is not a time.
    """
    text = _moved_to()
    if not text:
        return real_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"FULLSCRIPT_NOW is {text!r}, which is not a time; write it like 2026-11-22T12:00:00Z or unset it."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


@contextmanager
def moved_to(text: str) -> Iterator[None]:
    """In this block FULLSCRIPT_NOW holds `text`, for all threads and child processes; '' changes nothing."""
    before = os.environ.get("FULLSCRIPT_NOW")
    if text in ("", before):
        yield
        return
    os.environ["FULLSCRIPT_NOW"] = text
    try:
        yield
    finally:
        if before is None:
            del os.environ["FULLSCRIPT_NOW"]
        else:
            os.environ["FULLSCRIPT_NOW"] = before


def _moved_to() -> str:
    return os.environ.get("FULLSCRIPT_NOW", "").strip()


def today(zone: ZoneInfo) -> date:
    """The calendar day of `zone` at `now()`."""
    return now().astimezone(zone).date()


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of `zone` that holds `moment`."""
    return moment.astimezone(zone).date()


def cell_is_open(day: date, zone: ZoneInfo, moment: datetime | None = None) -> bool:
    """Whether the partition of `day` may be filled at `moment` (default now): on that day or before 06:00 of the next.

    List endpoints return the current state only, so a later pull would store another day's data under this day.
    """
    local = (moment or now()).astimezone(zone)
    opens = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    closes = datetime(following.year, following.month, following.day, tzinfo=zone) + GRACE
    return opens <= local < closes


def moved_times(
    moments: Iterable[datetime], latest: datetime, after: datetime | None = None
) -> dict[datetime, datetime]:
    """Maps each of these times to one that is not after `latest`, in the same order, a microsecond apart.

    The new times are after `after`, a time that is not moved. If they do not all fit in between, they end as soon after
    `latest` as possible.
    """
    ordered, step = sorted(set(moments)), timedelta(microseconds=1)
    first = latest - step * (len(ordered) - 1)
    if after is not None:
        first = max(first, after + step)
    return {moment: first + step * place for place, moment in enumerate(ordered)}


def days_ahead(zone: ZoneInfo) -> int:
    """How many days the data's clock runs ahead of the machine's (negative: behind)."""
    return (today(zone) - real_now().astimezone(zone).date()).days
