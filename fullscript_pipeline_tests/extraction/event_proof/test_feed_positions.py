"""A feed counts as read only as far as it came even, and only for who sees no more than its reader."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.api import ClinicRef, ClinicSession
from fullscript_pipeline.extraction.event_proof.feed_positions import FeedPosition
from fullscript_pipeline.refresh.reconcile import reconcile
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.event_shapes import bent
from fullscript_pipeline_tests.helpers.full_pull import AllClinics
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

FEED = "/events/orders"


TODAY = date(2026, 3, 20)
TOLD = {"id": "e1", "created_at": "2026-03-19T10:00:00Z"}


@pytest.fixture
def position(tmp_path: Path) -> Iterator[FeedPosition]:
    """A feed that the clinic's owner has read to the end on 10 March."""
    clinic = ClinicRef(server="us-snd", clinic_id="c1", clinic_key="maple-street", region="us")
    viewers = [("owner", frozenset({"patients:read"}))]
    session = cast(ClinicSession, SimpleNamespace(clinic=clinic, viewers=viewers, assumed=frozenset()))
    with StateStore(tmp_path / "state.sqlite", None) as store:
        position = FeedPosition(store, session, FEED)
        position.record_read(date(2026, 3, 10), [], complete=True)
        assert position.new_events_filter() == {"created_at": ">2026-03-08"}
        yield position


def test_a_listing_that_stops_at_known_events_moves_no_position(position: FeedPosition) -> None:
    """What a page before the stop left out is listed by the next one that goes to the end."""
    position.record_read(TODAY, [TOLD], complete=True, to_the_end=False)
    assert position.new_events_filter() == {"created_at": ">2026-03-08"}
    position.record_read(TODAY, [TOLD], complete=True)
    assert position.new_events_filter() == {"created_at": ">2026-03-17"}


@pytest.mark.parametrize("event_id", ["line\nbreak", "..", "a\x00b", "", None])
def test_an_event_whose_id_cannot_be_requested_was_not_read(position: FeedPosition, event_id: str | None) -> None:
    position.record_read(TODAY, [TOLD, TOLD | {"id": event_id}], complete=True)
    assert position.new_events_filter() == {}, "the next listing is whole"


def told(connected: Connected) -> list[str]:
    """Every event of the feed, the oldest first, as the clinic's owner sees it."""
    with connected.sandbox.client(next(iter(connected.sandbox.clinics))) as owner:
        answer = owner.get(FEED.lstrip("/"), params={"page[size]": "100", "sort_by": "created_at"}).json()
    assert len(answer["events"]) == answer["meta"]["total_count"]
    return [event["id"] for event in answer["events"]]


def unseen(cell: AllClinics) -> list[str]:
    clinic = cell.connected.store.clinics.all()[0]
    found: list[str] = cell.connected.store.events.unknown_ids(clinic.server, clinic.clinic_id, told(cell.connected))
    return found


def read(cell: AllClinics, by: str) -> None:
    """A daily pull, or a look at the feeds."""
    if by == "pull":
        cell.pull_everything()
        return
    with cell.session(cell.connected.store.clinics.all()[0]) as session:
        refresh.poll_feeds(session, cell.connected.store)


def read_again(cell: AllClinics, by: str) -> None:
    """The next daily pull, or what the daemon does once an hour."""
    if by == "pull":
        cell.pull_everything()
        return
    with cell.session(cell.connected.store.clinics.all()[0]) as session:
        reconcile(session, cell.connected.store)


@pytest.mark.check_all
@pytest.mark.parametrize("by", ["pull", "look"])
def test_a_feed_that_another_user_has_read_is_listed_whole(tmp_path: Path, by: str) -> None:
    with connected_pipeline(tmp_path, clinics=1, patients=30, products=12, history_days=20) as connected:
        cell, (slug, *_) = AllClinics(connected), connected.sandbox.clinics
        (clinic,), (owner,) = (
            connected.store.clinics.all(),
            connected.store.tokens.grants(connected.store.clinics.all()[0]),
        )
        connected.sandbox.control.change(assigned_patients_only=True)
        connected.connect(slug, "practitioner-2")
        connected.store.revocations.start_revoking(clinic, owner.user_id)
        connected.store.revocations.forget_grant(clinic, owner.user_id)
        cell.pull_everything()
        assert unseen(cell)
        connected.connect(slug)
        read(cell, by)
        assert unseen(cell) == []
        with cell.session(clinic) as session:
            refresh.poll_feeds(session, connected.store)
            assert set(session.requests.values()) == {1}, "a feed costs a request again"


@pytest.mark.parametrize("kind", ["without an id", "left out"])
@pytest.mark.check_all
@pytest.mark.parametrize("by", ["pull", "look"])
def test_what_a_feed_failed_to_show_is_listed_the_next_time(tmp_path: Path, by: str, kind: str) -> None:
    """However long before the newest event of that day it had happened."""
    with connected_pipeline(tmp_path, clinics=1, patients=40, products=12, history_days=5) as connected:
        cell = AllClinics(connected)
        cell.pull_everything()
        known = set(told(connected))
        connected.sandbox.control.advance(days=6)
        connected.set_clock()
        missed = next(one for one in told(connected) if one not in known)

        def short(path: str, body: Any) -> Any:
            if path == FEED and kind == "left out":
                body["events"] = [event for event in body["events"] if event["id"] != missed]
            elif path == FEED:
                body["events"] = [event | {"id": None} if event["id"] == missed else event for event in body["events"]]
            return body

        with bent(short):
            read(cell, by)
        assert unseen(cell) == [missed]
        read_again(cell, by)
        assert unseen(cell) == []
