"""Our clock against the server's `Date`, over HTTP: when a session goes on, warns or refuses."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import WrongClock
from fullscript_pipeline.api.server_clock import format_clock_lead
from fullscript_pipeline_tests.helpers.api_sessions import session_at
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, odd_server

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFF = (DAY, 30 * DAY, 3652 * DAY)


@pytest.fixture(autouse=True)
def _real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FULLSCRIPT_NOW", raising=False)


def reply(ahead: timedelta = timedelta(0), **headers: str) -> Reply:
    """The clinic, from a server whose clock is so far ahead of ours."""
    date = {"Date": format_datetime(clock.real_now() + ahead, usegmt=True)}
    return Reply(body={"clinic": {"id": "c-1"}}, headers=date | headers)


def read(server: OddServer) -> str | None:
    """Reads the clinic twice, as if to store it; the warning."""
    with session_at(server.url) as session:
        session.fetch_object("clinic")
        session.fetch_object("clinic")
        session.server_clock.require_checked()
        return session.server_clock.warning


@pytest.mark.parametrize("off", [*OFF, *(-off for off in OFF), 13 * HOUR, -13 * HOUR])
def test_more_than_twelve_hours_apart_is_a_refusal_that_says_which_way(off: timedelta) -> None:
    with odd_server([reply(off)]) as server, pytest.raises(WrongClock) as told:
        read(server)
    assert told.value.exit_code == 78
    assert f"{format_clock_lead(-off)} that of us-snd" in str(told.value)
    assert ("behind" if off > timedelta(0) else "ahead of") in str(told.value)
    assert [seen.headers.get("authorization") for seen in server.requests] == ["Bearer token-1", None]


@pytest.mark.parametrize("off", [11 * MINUTE, -11 * MINUTE, 11 * HOUR, -11 * HOUR])
def test_more_than_ten_minutes_apart_is_a_warning(off: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    with odd_server([reply(off)]) as server:
        warning = read(server)
    assert warning == f"this machine's clock is {format_clock_lead(-off)} that of us-snd"
    assert [record.message for record in caplog.records] == [f"{warning}: set it by the network (NTP)"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("off", "headers"),
    [
        pytest.param(9 * MINUTE, {}, id="nine minutes"),
        pytest.param(-9 * MINUTE, {}, id="nine minutes behind"),
        pytest.param(-3 * DAY, {"Age": "259200"}, id="a proxy kept it and says so"),
        pytest.param(0 * DAY, {"Age": "259200"}, id="a proxy kept it and set the Date anew"),
        pytest.param(0 * DAY, {"Date": "nonsense"}, id="no date"),
        pytest.param(0 * DAY, {"Date": "Mon, 99 Jan 2024 00:00:00 GMT"}, id="no such day"),
        pytest.param(-3 * DAY, {"Age": "long"}, id="an age that cannot be read"),
    ],
)
def test_what_says_nothing_against_our_clock_is_no_refusal(off: timedelta, headers: dict[str, str]) -> None:
    with odd_server([reply(off, **headers), reply()]) as server:
        assert read(server) is None
    assert len(server.requests) == 2


def test_one_odd_date_is_not_believed_alone() -> None:
    with odd_server([reply(-3 * DAY), reply()]) as server:
        assert read(server) is None
    assert len(server.requests) == 3


def test_a_server_without_dates_is_not_checked() -> None:
    with odd_server([reply(Date="")]) as server:
        assert read(server) is None


def test_a_clock_that_is_moved_on_purpose_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2036-01-01T00:00:00Z")
    with odd_server([reply()]) as server:
        assert read(server) is None
    assert len(server.requests) == 2


def test_a_clock_that_changes_during_a_run_is_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real_now = clock.real_now
    with odd_server([reply()]) as server, session_at(server.url) as session:
        session.fetch_object("clinic")
        monkeypatch.setattr(clock, "real_now", lambda: real_now() + 3652 * DAY)
        with pytest.raises(WrongClock, match="3,652 days ahead of"):
            session.fetch_object("clinic")


def test_earlier_pages_are_stored_only_after_the_clock_was_checked() -> None:
    """A pull that goes on with what an earlier process has landed need not ask for anything else."""
    with odd_server([reply(30 * DAY)]) as server, session_at(server.url) as session:
        with pytest.raises(WrongClock):
            session.server_clock.require_checked()
        assert len(server.requests) == 2


@pytest.fixture
def silent() -> Iterator[OddServer]:
    with odd_server([Reply(drop=True)]) as server:
        yield server


def test_a_server_that_does_not_answer_says_nothing_of_our_clock(silent: OddServer) -> None:
    with session_at(silent.url) as session:
        session.server_clock.require_checked()
    assert session.server_clock.warning is None
