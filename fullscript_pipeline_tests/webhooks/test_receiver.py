"""The receiver over real HTTP: probes, forgeries, duplicates, key rolls, hostile bodies, a store that is not there."""

import asyncio
import gzip
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline.webhooks import Door, serving
from fullscript_pipeline.webhooks import receiver as receiver_module
from fullscript_pipeline_tests.webhooks.test_signature import MALFORMED
from fullscript_pipeline_tests.webhooks.vendor import CHALLENGE, KEY, Told, deliver, payload, post, raw, signed

SECRET = "s3cr3t"


@dataclass
class Receiver:
    """One that runs, with what it kept and logged."""

    base_url: str
    store: StateStore
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.base_url}/hooks/{SECRET}/us-snd"

    def kept(self) -> list[Delivery]:
        return self.store.deliveries()

    def post(self, body: bytes, headers: dict[str, str] | None = None, path: str = "") -> Told:
        return asyncio.run(post(f"{self.base_url}{path}" if path else self.url, body, headers))

    def deliver(self, *bodies: bytes) -> list[Told]:
        async def all_of_them() -> list[Told]:
            return await asyncio.gather(*(deliver(self.url, body) for body in bodies))

        return asyncio.run(all_of_them())

    def raw(self, *sent: bytes) -> list[Told]:
        async def all_of_them() -> list[Told]:
            return [await raw(self.url, one) for one in sent]

        return asyncio.run(all_of_them())


@contextmanager
def receiving(folder: Path, keys: Sequence[str] = (KEY,)) -> Iterator[Receiver]:
    doors = [
        Door(server, f"/hooks/{SECRET}/{server}", CHALLENGE, tuple(key.encode() for key in keys))
        for server in ("us-snd", "ca-snd")
    ]
    with ExitStack() as running:
        lines: list[str] = []
        store = running.enter_context(StateStore(folder / "state.sqlite", "a key"))
        yield Receiver(running.enter_context(serving(doors, store, lines.append)), store, lines)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """For tests that store nothing."""
    with receiving(tmp_path_factory.mktemp("receiver")) as one:
        yield one


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as one:
        yield one


def head(receiver: Receiver, *lines: str, method: str = "POST") -> bytes:
    """A request's head as it goes over the wire."""
    path = receiver.url.removeprefix(receiver.base_url)
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode()


def test_the_probe_gets_the_challenge_and_stores_nothing(shared: Receiver) -> None:
    chunked = head(shared, "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    told = [shared.post(body) for body in (b"", b" \r\n\t", b"{}")] + shared.raw(chunked, head(shared))
    assert [one.status for one in told] == [200] * 5
    assert [json.loads(one.body) for one in told] == [{"challenge": CHALLENGE}] * 5
    assert shared.kept() == []


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_signature_is_refused(shared: Receiver, kind: str) -> None:
    header = MALFORMED[kind].encode()
    body = payload("e-1")
    sent = head(shared, f"Content-Length: {len(body)}")[:-2] + b"Fullscript-Signature: " + header + b"\r\n\r\n" + body
    (told,) = shared.raw(sent)
    assert 400 <= told.status < 500
    assert shared.kept() == []


def test_two_signature_headers_are_refused(shared: Receiver) -> None:
    body = payload("e-1")
    header = "Fullscript-Signature: " + signed(body)["Fullscript-Signature"]
    assert shared.raw(head(shared, header, header, f"Content-Length: {len(body)}") + body)[0].status == 403
    assert shared.kept() == []


def test_a_genuine_delivery_is_kept_byte_for_byte_and_sealed(receiver: Receiver, tmp_path: Path) -> None:
    body = payload("e-1", integration_id="i-1", patient="Canary Quince").replace(b'": "', b'" :"')
    (told,) = receiver.deliver(body)
    assert told.accepted
    (kept,) = receiver.kept()
    assert (kept.server, kept.event_id, kept.integration_id, kept.clinic_id) == ("us-snd", "e-1", "i-1", "clinic-1")
    assert (kept.event_type, kept.state, kept.body) == ("order.placed", "received", body)
    assert kept.headers["fullscript-signature"].startswith("t=")
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"Canary" not in files
    assert b"Canary" not in repr(kept).encode()


def test_duplicates_count_and_integrations_differ(receiver: Receiver) -> None:
    one, other, nameless = (
        payload("e-1"),
        payload("e-1", integration_id="i-2"),
        b'{"event": {"type": "product.created"}}',
    )
    for _ in range(3):
        assert all(told.accepted for told in receiver.deliver(one, other, nameless))
    found = sorted((kept.event_id[:5], kept.integration_id, kept.receipts) for kept in receiver.kept())
    assert found == [("body-", "", 3), ("e-1", "", 3), ("e-1", "i-2", 3)]


def test_servers_do_not_share_events(receiver: Receiver) -> None:
    body = payload("e-1")
    for server in ("us-snd", "ca-snd"):
        assert receiver.post(body, signed(body), f"/hooks/{SECRET}/{server}").accepted
    assert sorted(kept.server for kept in receiver.kept()) == ["ca-snd", "us-snd"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hooks",
        "/hooks/",
        "/hooks/wrong/us-snd",
        f"/hooks/{SECRET}",
        f"/hooks/{SECRET}/us",
        f"/hooks/{SECRET}/us-snd/",
        f"//hooks/{SECRET}/us-snd",
        f"/hooks/{SECRET}/US-SND",
        "/hooks/%F0%28/us-snd",
        "/" + "a" * 5000,
    ],
)
def test_every_other_path_is_not_found(shared: Receiver, path: str) -> None:
    assert shared.post(b"", path=path).status == 404


def test_only_post(shared: Receiver) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        assert shared.raw(head(shared, method=method))[0].status == 405


def test_a_key_roll_loses_nothing(tmp_path: Path) -> None:
    bodies = [payload(f"e-{number}") for number in range(20)]
    with receiving(tmp_path, keys=("old", "new")) as both:
        for number, body in enumerate(bodies):
            assert both.post(body, signed(body, "new" if number % 2 else "old")).accepted
        assert both.post(bodies[0], signed(bodies[0], "older")).status == 403
        assert len(both.kept()) == 20


def test_old_and_early_signatures_are_refused_in_real_time(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2031-01-01T00:00:00Z")  # a demo's clock has no say here
    body = payload("e-1")
    answers = {ahead: receiver.post(body, signed(body, ahead=ahead)).status for ahead in (-301, -299, 299, 301)}
    assert answers == {-301: 403, -299: 200, 299: 200, 301: 403}


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def test_hostile_bodies_are_refused(shared: Receiver) -> None:
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    genuine = {
        "nesting": deep,
        "NUL": b'{"event": {"id": "\x00"}}',
        "lone surrogate": b'{"event": {"id": "\\ud800"}}',
        "no UTF-8": b'{"event": {"id": "\xff\xfe"}}',
        "no JSON": b"order.placed",
        "a list": b"[1]",
    }
    for kind, body in genuine.items():
        assert shared.post(body, signed(body)).status == 400, kind
        assert shared.post(body).status == 403, kind
    bomb = gzip.compress(b"0" * 10_000_000)
    assert shared.post(bomb, signed(bomb) | {"Content-Encoding": "gzip"}).status == 415
    large = payload("e-1", size=(1 << 20) + 1000)
    assert shared.post(large, signed(large)).status == 413
    announced = head(shared, "Content-Length: 99999999999")
    endless = head(shared, "Transfer-Encoding: chunked") + chunked(*[b"x" * 65536] * 40)
    lying = [head(shared, f"Content-Length: {length}") for length in ("-1", "1e3", "9" * 30, "0x10", "1, 2")]
    for told in shared.raw(announced, endless, *lying):
        assert 400 <= told.status < 500
    assert shared.kept() == []


def test_a_body_that_does_not_come_is_given_up(shared: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "ANSWER_SECONDS", 0.3)
    (told,) = shared.raw(head(shared, "Content-Length: 100") + b"{")
    assert told.status == 408
    assert told.seconds < 2.5


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n\r\n",
        b"hello\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nZ",
    ],
)
def test_what_is_no_http_is_refused(shared: Receiver, sent: bytes) -> None:
    assert shared.raw(sent)[0].status in {0, 400, 404}
    assert shared.post(b"").accepted, "and the next one is served"


def test_broken_framing_after_the_answer_breaks_nothing(shared: Receiver) -> None:
    pipelined = head(shared).replace(b"close", b"keep-alive") + b"nonsense\r\n\r\n"
    half = head(shared, "Transfer-Encoding: chunked") + b"zz\r\n"
    assert [told.status for told in shared.raw(pipelined, half)] == [200, 400]
    assert shared.post(b"").accepted


def test_a_store_that_others_hold_is_an_early_503_and_nothing_is_lost(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "ANSWER_SECONDS", 0.4)
    bodies = [payload(f"e-{number}") for number in range(5)]
    with sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        told = receiver.deliver(*bodies)
        assert {one.status for one in told} == {503}
        assert max(one.seconds for one in told) < 1.5
        other.execute("ROLLBACK")
    other.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(one.accepted for one in receiver.deliver(*bodies)):
        time.sleep(0.05)
    assert sorted(kept.event_id for kept in receiver.kept()) == [f"e-{number}" for number in range(5)]


def test_whatever_the_store_raises_is_a_503(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> list[bool]:
        raise RuntimeError("Canary Quince")

    monkeypatch.setattr(receiver.store, "keep_deliveries", broken)
    (told,) = receiver.deliver(payload("e-1"))
    assert (told.status, json.loads(told.body)) == (503, {"error": "not stored"})
    monkeypatch.undo()
    assert receiver.deliver(payload("e-1"))[0].accepted, "the next one is tried afresh"
    time.sleep(0.05)
    assert "Canary" not in "".join(receiver.lines)


def test_more_than_can_be_stored_is_refused_at_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "_MOST_INSIDE", 3)
    slow = receiver.store.keep_deliveries

    def slowly(new: Sequence[Delivery]) -> list[bool]:
        time.sleep(0.3)
        return slow(new)

    monkeypatch.setattr(receiver.store, "keep_deliveries", slowly)
    told = receiver.deliver(*(payload(f"e-{number}") for number in range(12)))
    refused = [one for one in told if one.status == 503]
    assert 0 < len(refused) < 12
    assert max(one.seconds for one in refused) < 0.3
    assert len(receiver.kept()) == sum(one.accepted for one in told)


def test_the_log_names_neither_path_nor_payload(receiver: Receiver) -> None:
    receiver.deliver(payload("e-1", patient="Canary Quince"))
    receiver.post(b"Canary", path=f"/hooks/{SECRET}/Canary?Canary")
    deadline = time.monotonic() + 5
    while len(receiver.lines) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    text = "\n".join(receiver.lines)
    assert len(receiver.lines) == 3
    assert "order.placed e-1 kept" in text
    assert not any(word in text for word in (SECRET, "Canary", CHALLENGE, KEY, "/hooks"))
