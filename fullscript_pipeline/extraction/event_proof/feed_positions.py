"""Stores how far each event feed was read, by whom and whether to the end; and makes the filter for the next listing.

What does not belong here: listing a feed (`event_feeds`, `refresh.feed_polling`), known events (`state.event_ledger`).
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from fullscript_pipeline.api import WHOLE_UTC_DAYS, ClinicSession
from fullscript_pipeline.extraction.event_proof.event_parsing import event_time
from fullscript_pipeline.ids import usable_id
from fullscript_pipeline.state import StateStore

# The filter's edges and zone are not documented: a day for `>` that leaves its day out, a day for another zone. Events
# that are listed twice cost only their pages.
OVERLAP = timedelta(days=2)
# How far back the vendor's feeds reach.
REACH = timedelta(days=30)
# Replaces the viewers of a feed that was refused, or whose listing was incomplete.
_IN_PART = ""


class FeedPosition:
    """The position of a session's clinic in one feed."""

    def __init__(self, store: StateStore, session: ClinicSession, feed: str) -> None:
        self._store, self._session, self._feed = store, session, feed

    def new_events_filter(self) -> dict[str, str]:
        """Returns the filter for new events, with two days of overlap (one if the server's days are
        known to be whole UTC days); no filter when the feed was never read to the
        end with the rights of this session.

        It starts at the newest listed event if that is older than the last read: the feed has nothing in between, and
        a server whose clock is behind ours still shows later events.
        """
        day = self._stored("whole") or self._stored()
        if day is None or self._last_viewers not in {None, self._viewers}:
            return {}
        first = min(day, self._stored("newest") or day)
        overlap = timedelta(days=1) if WHOLE_UTC_DAYS in self._session.assumed else OVERLAP
        return {"created_at": f">{date.fromisoformat(first) - overlap}"}

    @property
    def was_read_by_others(self) -> bool:
        """Whether another user read the feed last, or one with other scopes: this session may see more."""
        return self._last_viewers not in {None, _IN_PART, self._viewers}

    def record_read(
        self, day: date, rows: Iterable[Mapping[str, Any]], *, complete: bool, to_the_end: bool = True
    ) -> None:
        """Records that the feed was read up to a day; `rows` are what it listed. Not `complete`: the next listing is
        whole. Not `to_the_end`: reading stopped at known events, which proves nothing of the pages before, so the next
        listing begins where one that went to the end began.
        """
        listed = list(rows)
        newest = max(((event_time(row) or "")[:10] for row in listed), default="")
        if newest > (self._stored("newest") or ""):
            self._write(newest, "newest")
        self._write(day.isoformat())
        # A row whose id cannot be requested stands for an event that was not read.
        if not complete or any(usable_id(row.get("id")) is None for row in listed):
            self._write(_IN_PART, "viewers")
        elif to_the_end:
            self._write(self._viewers, "viewers")
        if to_the_end:
            self._write(day.isoformat(), "whole")

    @property
    def _viewers(self) -> str:
        """Who reads with the session, and with which scopes, as one text."""
        return "; ".join(sorted(f"{user or ''}: {' '.join(sorted(scopes))}" for user, scopes in self._session.viewers))

    @property
    def _last_viewers(self) -> str | None:
        """None: it was never read, or by a version that did not store this."""
        return self._stored("viewers")

    def _stored(self, what: str = "") -> str | None:
        clinic = self._session.clinic
        return self._store.feeds.position(clinic.server, clinic.clinic_id, _key(self._feed, what))

    def _write(self, value: str, what: str = "") -> None:
        if value == self._stored(what):
            return
        clinic = self._session.clinic
        self._store.feeds.set_position(clinic.server, clinic.clinic_id, _key(self._feed, what), value)


def _key(feed: str, what: str) -> str:
    return f"{feed}:{what}" if what else feed
