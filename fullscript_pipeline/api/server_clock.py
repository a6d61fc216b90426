"""Compares this machine's clock with the server's: data that are stored under a wrong time are hard to correct.

    10 minutes apart    a warning, in the log and on the run
    12 hours apart      a refusal, before anything is landed or stored; confirmed by a second response
    no `Date`           no check; nor with FULLSCRIPT_NOW, which moves our clock on purpose

What does not belong here: token life and webhook tolerance (they follow our clock alone).
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from fullscript_pipeline import clock
from fullscript_pipeline.api.errors import FullscriptError
from fullscript_pipeline.api.http import HttpResponse
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.plural import counted

WARN_AFTER = timedelta(minutes=10)
REFUSE_AFTER = timedelta(hours=12)
_log = logging.getLogger(__name__)


class WrongClock(ConfigurationError):
    """Our clock and the server's differ too much to store anything."""


def clock_lead(moment: datetime, answer: HttpResponse) -> timedelta | None:
    """How far our clock is ahead of the server's, to about a second; `moment` is when the response arrived by our
    clock.

    None if the response has no date. A response that a proxy had cached (`Age`) was sent at some time before.
    """
    try:
        # The header has whole seconds, so use the middle of its second.
        fresh = moment - _utc(parsedate_to_datetime(answer.date or "")) - timedelta(seconds=0.5)
        from_cache = fresh - timedelta(seconds=max(int(answer.age or 0), 0))
    except (ValueError, OverflowError):
        return None
    return fresh if fresh < timedelta(0) else max(from_cache, timedelta(0)) if answer.age else fresh


def format_clock_lead(lead: timedelta) -> str:
    """Formats how far our clock is from the server's: "3,652 days ahead of"."""
    size, direction = abs(lead), "ahead of" if lead > timedelta(0) else "behind"
    if size >= timedelta(days=2):
        return f"{round(size / timedelta(days=1)):,} days {direction}"
    minutes = round(size.total_seconds() / 60)
    return f"{counted(minutes // 60, 'hour') if minutes >= 120 else counted(minutes, 'minute')} {direction}"


class ServerClock:
    """Compares the clocks at the first response of a session, and again after ours was changed; thread-safe.

    `fetch` gets another response from the server, if there is none or one must be confirmed.
    """

    def __init__(self, server: str, fetch: Callable[[], HttpResponse]) -> None:
        self._server, self._fetch = server, fetch
        # Our clock minus the machine's steady clock, at the last comparison.
        self._compared: float | None = None
        self._lock = threading.Lock()
        self.warning: str | None = None

    def check_response(self, answer: HttpResponse) -> None:
        """Raises WrongClock if this response and another one are more than 12 hours from our time."""
        with self._lock:
            if not self._is_compared() and (lead := clock_lead(clock.now(), answer)) is not None:
                self._compare(lead)

    def require_checked(self) -> None:
        """Checks the clock before data of an earlier process are stored; requests the time if no response came yet."""
        with self._lock:
            if not self._is_compared() and (lead := self._fetch_lead()) is not None:
                self._compare(lead)

    def _is_compared(self) -> bool:
        if clock.is_set_by_hand():
            return True
        drift = None if self._compared is None else abs(_lead_of_steady_clock() - self._compared)
        return drift is not None and drift < WARN_AFTER.total_seconds()

    def _compare(self, lead: timedelta) -> None:
        if abs(lead) > REFUSE_AFTER:
            again = self._fetch_lead()
            lead = lead if again is None else min(lead, again, key=abs)
        if abs(lead) > REFUSE_AFTER:
            now = clock.now()
            raise WrongClock(
                f"This machine's clock ({now:%Y-%m-%d %H:%M} UTC) is {format_clock_lead(lead)} that of {self._server} "
                f"({now - lead:%Y-%m-%d %H:%M} UTC), so nothing was stored: set this machine's clock by the network "
                "(NTP), then run this again; if it is right, tell the server's operator."
            )
        self._compared, self.warning = _lead_of_steady_clock(), None
        if abs(lead) > WARN_AFTER:
            self.warning = f"this machine's clock is {format_clock_lead(lead)} that of {self._server}"
            _log.warning("%s: set it by the network (NTP)", self.warning)

    def _fetch_lead(self) -> timedelta | None:
        try:
            answer = self._fetch()
        except FullscriptError:
            return None
        return clock_lead(clock.now(), answer)


def _lead_of_steady_clock() -> float:
    return clock.now().timestamp() - clock.steady_seconds()


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
