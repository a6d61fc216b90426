"""The retry rule: what is asked again, and after how long."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.api import BadResponse, RateLimited, ServerError
from fullscript_pipeline.api.errors import RequestSummary
from fullscript_pipeline.api.retry import MAX_RETRY_AFTER, RetryPolicy, retry_after_seconds
from fullscript_pipeline_tests.helpers.api_sessions import Sleeps, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server

_ASKED = RequestSummary(endpoint="orders", server="us-snd", method="GET", url="https://h/x")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (" 0 ", 0.0), ("", None), (None, None), ("soon", None)])
def test_retry_after_in_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


def test_retry_after_as_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after_seconds(format_datetime(moment, usegmt=True)) == pytest.approx(90, abs=3)
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@given(st.one_of(st.text(max_size=40), st.integers().map(str)))
def test_retry_after_never_fails_and_is_never_negative(header: str) -> None:
    seconds = retry_after_seconds(header)
    assert seconds is None or seconds >= 0


def test_waits_grow_and_are_bounded_and_jittered() -> None:
    error = ServerError(_ASKED, "x", "y")
    low, high = RetryPolicy(jitter=lambda: 0.0), RetryPolicy(attempts=99, jitter=lambda: 1.0)
    assert [low.wait_after(error, attempt) for attempt in (1, 2, 3, 4, 5)] == [0.25, 0.5, 1.0, 2.0, None]
    assert [high.wait_after(error, attempt) for attempt in (1, 2, 50)] == [0.5, 1.0, 30.0]
    assert low.wait_after(BadResponse(_ASKED, "x", "y"), 3) is None
    assert (low.wait_after(RateLimited(_ASKED, "x", "y"), 1) or 0) >= 2.5


@pytest.mark.parametrize("status", [429, 503])
def test_the_servers_wish_goes_first(status: int) -> None:
    sleeps = Sleeps()
    replies = [Reply(status, headers={"Retry-After": "11"}), Reply(body={"clinic": {"id": "1"}})]
    with odd_server(replies) as server, session_at(server.url, sleeps=sleeps) as session:
        session.fetch_object("clinic")
    assert sleeps.waits == [11.0]


def test_a_server_that_wants_too_much_gets_an_error_not_a_sleeper() -> None:
    sleeps = Sleeps()
    replies = [Reply(429, headers={"Retry-After": str(int(MAX_RETRY_AFTER) + 1)})]
    with odd_server(replies) as server, session_at(server.url, sleeps=sleeps) as session, pytest.raises(RateLimited):
        session.fetch_object("clinic")
    assert (sleeps.waits, len(server.requests)) == ([], 1)


def test_a_call_inside_another_is_not_multiplied() -> None:
    """A token call has its own rule; the GET around it must not begin it again five times."""
    inner, outer, calls = Sleeps().token_policy(), Sleeps().policy(), []

    def token_call() -> None:
        calls.append(1)
        raise ServerError(_ASKED, "x", "y")

    with pytest.raises(ServerError):
        outer.run(lambda: inner.run(token_call, lambda *_: None), lambda *_: None)
    assert len(calls) == 2
