"""Webhooks against a real receiver: probe, challenge, signature, retries, duplicates, disorder, disabling, the log."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.sender import signature
from fullscript_pipeline.sandbox.server import advance_offline
from fullscript_pipeline_tests.helpers.sandbox_paths import listed
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox


class Receiver:
    """Keeps what it gets; `status` and `delay` say how it answers the next payloads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.challenge = ""
        self.status: Callable[[int], int] = lambda _: 200
        self.delay = 0.0
        self.probes = 0
        self.payloads: list[tuple[str, bytes]] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body)["event_payload"]["event"] for _, body in self.payloads]


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = 200
            if body:
                status = kept.status(len(kept.payloads))
                kept.payloads.append((self.headers["Fullscript-Signature"], body))
                time.sleep(kept.delay)
            else:
                kept.probes += 1
            said = json.dumps({"challenge": kept.challenge}).encode()
            with suppress(ConnectionError):  # the sender does not wait for ever
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}/hooks")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path) as running:
        running.connect("maple-street")
        yield running


@pytest.fixture
def receiver(sandbox: RunningSandbox) -> Iterator[Receiver]:
    with receiving() as one:
        one.challenge = sandbox.apps["us-snd"]["webhook_challenge_token"]
        yield one


def log(running: RunningSandbox, **params: str) -> list[dict[str, Any]]:
    with running.client("maple-street") as client:
        return listed(client, "webhooks/deliveries", **params)


def minutes_between(rows: list[dict[str, Any]]) -> list[int]:
    moments = [datetime.fromisoformat(row["attempted_at"]) for row in rows]
    return [round((b - a) / timedelta(minutes=1)) for a, b in pairwise(moments)]


def test_the_published_vector() -> None:
    body = b'{"event_payload":{"event":{"id":"evt-1","type":"order.placed"}}}'
    expected = "8f5f69a333ac446ed7f9d8cb5a27b2e98239c84ae2fa0da45d3a449321d7381b"
    assert signature("fs_sig_test_secret", 1591826856, body) == expected


def test_events_arrive_signed_in_order_and_only_for_clinics_that_authorised(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url)
    assert (receiver.probes, receiver.payloads) == (1, []), "registering probes with an empty body"
    sent = sandbox.control.advance(days=2)["webhooks"]
    assert sent["delivered"] == sent["attempts"] == len(receiver.payloads) == receiver.probes - 1
    key = sandbox.apps["us-snd"]["webhook_signature_key"]
    for header, body in receiver.payloads:
        stamp, signed = (part.partition("=")[2] for part in header.split(","))
        assert signed == signature(key, int(stamp), body)
        assert abs(time.time() - int(stamp)) < 60, "signed with real time"
    moments = [event["created_at"] for event in receiver.events]
    assert moments == sorted(moments)
    mine = sandbox.clinics["maple-street"]["clinic_id"]
    assert {event.get("clinic_id", mine) for event in receiver.events} == {mine}, "the other clinic has no token"
    rows = log(sandbox)
    assert {row["event_id"] for row in rows} == {event["id"] for event in receiver.events}
    assert [row["event_payload"]["event"] for row in rows] == receiver.events
    assert receiver.challenge not in json.dumps(rows)


def test_subscriptions_scopes_and_revocation(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, scopes="patients:order_history") as running, receiving() as receiver:
        running.connect("maple-street")
        receiver.challenge = running.apps["us-snd"]["webhook_challenge_token"]
        running.control.set_webhook("us-snd", receiver.url, events=["order.placed", "patient.created"])
        running.control.advance(days=3)
        assert {event["type"] for event in receiver.events} == {"order.placed"}, "subscribed, but without the scope"
        seen = len(receiver.payloads)
        running.control.revoke("maple-street")
        running.control.advance(days=1)
        assert len(receiver.payloads) == seen, "no token, no webhooks"


def test_an_endpoint_that_fails_its_probe_is_not_registered(sandbox: RunningSandbox, receiver: Receiver) -> None:
    receiver.challenge = "something else"
    with pytest.raises(SandboxError, match="probed"):
        sandbox.control.set_webhook("us-snd", receiver.url)
    for wrong in (
        {"url": "http://192.0.2.1/"},
        {"server": "eu"},
        {"colour": "red"},
        {"duplicates": "x"},
        {"events": 5},
    ):
        asked = {"server": "us-snd", "url": receiver.url} | wrong
        answer = httpx.post(f"{sandbox.base_url}/_sandbox/webhooks", json=asked, trust_env=False)
        assert (answer.status_code, answer.json()["error"][-1]) == (400, "."), wrong
    assert sandbox.control.webhooks()["hooks"] == []


def test_six_attempts_at_the_documented_distances(sandbox: RunningSandbox, receiver: Receiver) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url, events=["order.placed"])
    receiver.status = lambda _: 500
    sandbox.control.advance(days=1)
    first = min(log(sandbox), key=lambda row: row["attempted_at"])["event_id"]
    rows = log(sandbox, event_id=first, sort_by="attempted_at")
    assert [row["attempts"] for row in rows] == list(range(1, len(rows) + 1))
    assert minutes_between(rows) == [1, 5, 30, 60, 300][: len(rows) - 1]
    rows = log(sandbox, event_id=first, sort_by="attempted_at")
    assert minutes_between(rows) == [1, 5, 30, 60, 300]
    assert not any(row["successfully_delivered"] for row in rows)
    assert Counter(row["event_id"] for row in log(sandbox)).most_common(1)[0][1] == 6, "then nothing more is tried"


def test_time_can_be_moved_by_minutes_to_watch_retries(sandbox: RunningSandbox, receiver: Receiver) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url, events=["order.placed"])
    sandbox.control.advance(days=1)
    receiver.status = lambda _: 500
    tried = sandbox.control.webhook("resend", days=1)["failed"]
    for minutes in (1, 5, 30):
        assert len(sandbox.control.webhooks()["waiting"]) == tried
        assert sandbox.control.webhook("minutes", minutes=minutes) == {"attempts": tried, "failed": tried}
    receiver.status = lambda _: 200
    assert sandbox.control.webhook("minutes", minutes=59) == {}
    assert sandbox.control.webhook("minutes", minutes=1) == {"attempts": tried, "delivered": tried}
    assert sandbox.control.webhooks()["waiting"] == []
    with pytest.raises(SandboxError, match="another day"):
        sandbox.control.webhook("minutes", minutes=1400)


def test_a_retry_succeeds_and_a_wrong_challenge_or_a_slow_answer_is_no_success(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url, events=["order.placed"])
    receiver.status = lambda count: 503 if count == 0 else 201
    sandbox.control.advance(days=1)
    first = json.loads(receiver.payloads[0][1])["event_payload"]["event"]["id"]
    rows = log(sandbox, event_id=first, sort_by="attempted_at")
    assert [row["successfully_delivered"] for row in rows] == [False, True]
    assert [row["response_status"] for row in rows] == [503, 201]
    sandbox.control.set_webhook("us-snd", receiver.url, events=["order.placed"], timeout=0.3)
    receiver.delay = 0.5
    before = len(log(sandbox, successfully_delivered="false"))
    sandbox.control.webhook("resend", days=1)
    late = log(sandbox, successfully_delivered="false")
    assert len(late) > before
    assert (late[-1]["response_status"], late[-1]["response_body"]) == (None, "TimeoutError")
    receiver.delay = 0
    key = sandbox.control.webhook("roll", server="us-snd")["webhook_signature_key"]
    sandbox.control.webhook("resend", days=1)
    header, body = receiver.payloads[-1]
    stamp, signed = (part.partition("=")[2] for part in header.split(","))
    assert signed == signature(key, int(stamp), body), "a rolled key signs at once"


def test_duplicates_and_disorder_on_demand(sandbox: RunningSandbox, receiver: Receiver) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url, duplicates=0.5, disorder=True)
    sandbox.control.advance(days=3)
    times = Counter(event["id"] for event in receiver.events)
    assert 1 == min(times.values()) < max(times.values()) <= 6
    moments = [event["created_at"] for event in receiver.events]
    assert moments != sorted(moments)
    receiver.payloads.clear()
    sent = sandbox.control.webhook("resend", days=3, times=2, disorder=True, seed=4)
    assert sent["delivered"] == len(receiver.payloads)
    assert set(Counter(event["id"] for event in receiver.events).values()) == {2}


def test_410_disables_at_once_and_the_dashboard_enables_again(sandbox: RunningSandbox, receiver: Receiver) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url)
    receiver.status = lambda _: 410
    sandbox.control.advance(days=1)
    assert len(receiver.payloads) == 1
    assert sandbox.control.webhooks()["hooks"][0]["disabled"] == "it answered 410"
    receiver.status = lambda _: 200
    sandbox.control.webhook("enable", server="us-snd")
    sandbox.control.advance(days=1)
    assert len(receiver.payloads) > 1


def test_a_day_of_failure_disables(sandbox: RunningSandbox, receiver: Receiver) -> None:
    sandbox.control.set_webhook("us-snd", receiver.url)
    receiver.status = lambda _: 302
    sandbox.control.advance(days=4)
    (hook,) = sandbox.control.webhooks()["hooks"]
    assert "24 hours" in hook["disabled"]
    seen = len(receiver.payloads)
    sandbox.control.advance(days=1)
    assert len(receiver.payloads) == seen
    sandbox.control.webhook("remove", server="us-snd")
    assert sandbox.control.webhooks()["hooks"] == []


def test_log_and_endpoint_survive_a_restart_and_days_may_pass_without_a_server(tmp_path: Path) -> None:
    with receiving() as receiver:
        with running_sandbox(tmp_path) as running:
            running.connect("maple-street")
            receiver.challenge = running.apps["us-snd"]["webhook_challenge_token"]
            running.control.set_webhook("us-snd", receiver.url)
            running.control.set_response_variants("bare_webhooks", "other_ids")
            running.control.advance(days=1)
            assert json.loads(receiver.payloads[0][1]).keys() == {"event"}
            assert "FS|" in receiver.payloads[0][1].decode()
            running.control.set_response_variants()
        assert (tmp_path / "webhooks.json").stat().st_mode & 0o777 == 0o600
        seen = len(receiver.payloads)
        sent = advance_offline(tmp_path, days=1)["webhooks"]
        assert sent["delivered"] == len(receiver.payloads) - seen > 0
        with running_sandbox(tmp_path) as running:
            assert len(log(running)) == len(receiver.payloads)
