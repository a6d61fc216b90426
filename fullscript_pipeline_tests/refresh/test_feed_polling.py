"""A look counts a feed as read only as far as it was complete, and only for who sees no more than its reader."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.api.response_parsing import Page
from fullscript_pipeline.refresh.feed_polling import record_feed_events
from fullscript_pipeline.state import StateStore

FEED = "order_events"


@dataclass
class _Server:
    """A session on a feed of one event a day, newest first, two a page; `left_out` and `nameless` are days."""

    days: int
    left_out: tuple[int, ...] = ()
    nameless: tuple[int, ...] = ()
    viewers: frozenset[tuple[str, frozenset[str]]] = frozenset([("owner", frozenset({"orders:read"}))])
    clinic: ClinicRef = field(
        default_factory=lambda: ClinicRef(server="us-snd", clinic_id="c1", clinic_key="acme", region="us")
    )
    asked: int = 0
    assumed: frozenset[str] = frozenset()

    def pages(self, _: str, __: object, params: Mapping[str, str], first_page: int = 1) -> Iterator[Page]:
        after = params.get("created_at", ">").removeprefix(">")
        there = [day for day in range(self.days, 0, -1) if f"2026-11-{day:02}" > after]
        shown = [day for day in there if day not in self.left_out]
        last = max(1, (len(shown) + 1) // 2)
        for number in range(first_page, last + 1):
            self.asked += 1
            rows = [self._row(day) for day in shown[2 * number - 2 : 2 * number]]
            yield Page(
                number=number,
                records=rows,
                total_count=len(there),
                total_pages=last,
                request_id=None,
                fetched_at=clock.now(),
                wrapper_key="events",
                unexpected_wrapper=False,
                is_last=number == last,
            )

    def _row(self, day: int) -> dict[str, Any]:
        event_id = None if day in self.nameless else f"event-{day}"
        return {"id": event_id, "type": "order.placed", "created_at": f"2026-11-{day:02}T08:00:00Z"}


def _look(
    store: StateStore, server: _Server, today: int, monkeypatch: pytest.MonkeyPatch, *, whole: bool = False
) -> int:
    monkeypatch.setenv("FULLSCRIPT_NOW", f"2026-11-{today:02}T12:00:00Z")
    return record_feed_events(server, store, FEED, to_the_end=whole)  # type: ignore[arg-type]  # as much of a session as it needs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with closing(StateStore(tmp_path / "state.sqlite", None)) as opened:
        yield opened


@pytest.mark.parametrize("short", [_Server(12, left_out=(4,)), _Server(12, nameless=(4,))])
def test_what_a_listing_lacked_is_found_by_the_next_whole_one(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, short: _Server
) -> None:
    assert _look(store, short, 12, monkeypatch) == 11
    # Nothing new at the top, day after day: that is no proof of what lies behind.
    for today in (12, 13, 20):
        assert _look(store, (quick := _Server(12)), today, monkeypatch) == 0
        assert quick.asked == 1
    assert _look(store, _Server(12), 20, monkeypatch, whole=True) == 1
    assert _look(store, (after := _Server(12)), 20, monkeypatch, whole=True) == 0
    assert after.asked == 1, "the feed is listed from its position again"


@pytest.mark.parametrize(
    "viewer", [("colleague", frozenset({"orders:read"})), ("owner", frozenset({"more", "orders:read"}))]
)
def test_a_look_reads_the_whole_feed_where_others_have_read_before(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, viewer: tuple[str, frozenset[str]]
) -> None:
    hidden = _Server(12)
    monkeypatch.setattr(hidden, "_row", lambda day: _Server(12)._row(day if day > 6 else day + 100))
    assert _look(store, hidden, 12, monkeypatch) == 12
    other = _Server(12, viewers=frozenset([viewer]))
    assert _look(store, other, 13, monkeypatch) == 6
    other.asked = 0
    assert _look(store, other, 13, monkeypatch) == 0
    assert other.asked == 1, "it costs a request again"
