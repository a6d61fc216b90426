"""Bodies without an end, bombs, broken framing: refused, and the next request is served."""

import gzip

import pytest

from fullscript_pipeline.webhooks import protocol as protocol_module
from fullscript_pipeline.webhooks import receiver as receiver_module
from fullscript_pipeline_tests.helpers.running_receiver import Receiver, head
from fullscript_pipeline_tests.helpers.vendor_client import payload, signed


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
    assert shared.stored_deliveries() == []


def test_a_body_that_does_not_arrive_is_given_up(shared: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "ANSWER_SECONDS", 0.3)
    (told,) = shared.raw(head(shared, "Content-Length: 100") + b"{")
    assert told.status == 408


def test_a_head_that_does_not_arrive_is_given_up(shared: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "_HEAD_SECONDS", 0.2)
    nothing, half = shared.raw(b"", head(shared)[:-2])
    assert (nothing.status, half.status) == (408, 408)


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
