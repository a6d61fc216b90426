"""The receiver over real HTTP: probes, forgeries, duplicates, key rolls, a store that is not there, the log."""

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.state import Delivery
from fullscript_pipeline.webhooks import group_commit as keeper_module
from fullscript_pipeline.webhooks import receiver as receiver_module
from fullscript_pipeline.webhooks.protocol import ImpatientProtocol
from fullscript_pipeline.webhooks.signature import is_genuine
from fullscript_pipeline_tests.helpers.running_receiver import SECRET, Receiver, head, receiving
from fullscript_pipeline_tests.helpers.vendor_client import CHALLENGE, KEY, payload, signed
from fullscript_pipeline_tests.helpers.wait_until import wait
from fullscript_pipeline_tests.helpers.webhook_signatures import MALFORMED


def test_the_probe_gets_the_challenge_and_stores_nothing(shared: Receiver) -> None:
    chunked = head(shared, "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    told = [shared.post(body) for body in (b"", b" \r\n\t", b"{}")] + shared.raw(chunked, head(shared))
    assert [one.status for one in told] == [200] * 5
    assert [json.loads(one.body) for one in told] == [{"challenge": CHALLENGE}] * 5
    assert shared.stored_deliveries() == []


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_signature_is_refused(shared: Receiver, kind: str) -> None:
    header = MALFORMED[kind].encode()
    body = payload("e-1")
    sent = head(shared, f"Content-Length: {len(body)}")[:-2] + b"Fullscript-Signature: " + header + b"\r\n\r\n" + body
    (told,) = shared.raw(sent)
    assert 400 <= told.status < 500
    assert shared.stored_deliveries() == []


def test_two_signature_headers_are_refused(shared: Receiver) -> None:
    body = payload("e-1")
    header = "Fullscript-Signature: " + signed(body)["Fullscript-Signature"]
    assert shared.raw(head(shared, header, header, f"Content-Length: {len(body)}") + body)[0].status == 403
    assert shared.stored_deliveries() == []


def test_a_genuine_delivery_is_kept_byte_for_byte_and_sealed(receiver: Receiver, tmp_path: Path) -> None:
    body = payload("e-1", integration_id="i-1", patient="Canary Quince").replace(b'": "', b'" :"')
    (told,) = receiver.deliver(body)
    assert told.accepted
    (kept,) = receiver.stored_deliveries()
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
    found = sorted((kept.event_id[:5], kept.integration_id, kept.receipts) for kept in receiver.stored_deliveries())
    assert found == [("body-", "", 3), ("e-1", "", 3), ("e-1", "i-2", 3)]


def test_servers_do_not_share_events(receiver: Receiver) -> None:
    body = payload("e-1")
    for server in ("us-snd", "ca-snd"):
        assert receiver.post(body, signed(body), f"/hooks/{SECRET}/{server}").accepted
    assert sorted(kept.server for kept in receiver.stored_deliveries()) == ["ca-snd", "us-snd"]


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
        assert len(both.stored_deliveries()) == 20


def test_old_and_early_signatures_are_refused_in_real_time(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2031-01-01T00:00:00Z")  # a demo's clock has no say here
    body = payload("e-1")
    answers = {ahead: receiver.post(body, signed(body, ahead=ahead)).status for ahead in (-301, -290, 290, 310)}
    assert answers == {-301: 403, -290: 200, 290: 200, 310: 403}


def test_a_store_that_others_hold_is_an_early_503_and_nothing_is_lost(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "ANSWER_SECONDS", 0.4)
    bodies = [payload(f"e-{number}") for number in range(5)]
    with sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        told = receiver.deliver(*bodies)
        assert {one.status for one in told} == {503}, "told while the store is still held"
        other.execute("ROLLBACK")
    other.close()
    assert wait(lambda: all(one.accepted for one in receiver.deliver(*bodies)))
    assert sorted(kept.event_id for kept in receiver.stored_deliveries()) == [f"e-{number}" for number in range(5)]


def test_whatever_the_store_raises_is_a_503(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> list[bool]:
        raise RuntimeError("Canary Quince")

    monkeypatch.setattr(receiver.store.inbox, "keep_deliveries", broken)
    (told,) = receiver.deliver(payload("e-1"))
    assert (told.status, json.loads(told.body)) == (503, {"error": "not stored"})
    monkeypatch.undo()
    assert receiver.deliver(payload("e-1"))[0].accepted, "the next one is tried afresh"
    time.sleep(0.05)
    assert "Canary" not in "".join(receiver.lines)


def test_more_than_can_be_stored_is_refused_at_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "_MOST_INSIDE", 3)
    slow = receiver.store.inbox.keep_deliveries
    refused_meanwhile: list[bool] = []

    def slowly(new: Sequence[Delivery]) -> list[bool]:
        refused_meanwhile.append(wait(lambda: any("too many at once" in line for line in receiver.lines), 1))
        return slow(new)

    monkeypatch.setattr(receiver.store.inbox, "keep_deliveries", slowly)
    told = receiver.deliver(*(payload(f"e-{number}") for number in range(12)))
    refused = [one for one in told if one.status == 503]
    assert 0 < len(refused) < 12
    assert refused_meanwhile[0]
    assert len(receiver.stored_deliveries()) == sum(one.accepted for one in told)


def test_the_log_names_neither_path_nor_payload(receiver: Receiver) -> None:
    receiver.deliver(payload("e-1", patient="Canary Quince"))
    receiver.post(b"Canary", path=f"/hooks/{SECRET}/Canary?Canary")
    assert wait(lambda: len(receiver.lines) == 3)
    text = "\n".join(receiver.lines)
    assert "order.placed e-1 kept" in text
    assert not any(word in text for word in (SECRET, "Canary", CHALLENGE, KEY, "/hooks"))


def test_a_late_response_is_no_200(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time in the kernel's queue counts: the vendor's two seconds began when it sent."""
    waited: list[float] = []
    looked, read = ImpatientProtocol._waited, is_genuine

    def noted(protocol: ImpatientProtocol) -> float:
        waited.append(looked(protocol))
        return waited[-1]

    def slowly(*given: Any) -> bool:
        time.sleep(0.5)  # the loop is busy, and the next requests lie unread
        return read(*given)

    monkeypatch.setattr(ImpatientProtocol, "_waited", noted)
    monkeypatch.setattr(receiver_module, "is_genuine", slowly)
    monkeypatch.setattr(receiver_module, "ANSWER_SECONDS", 0.4)
    told = [receiver.deliver(*(payload(f"e-{number}") for number in range(3))) for _ in range(2)]
    assert {one.status for some in told for one in some} == {503}
    if sys.platform == "linux":
        assert max(waited) > 0.3


def _waited(event: threading.Event) -> None:
    event.wait()


def test_a_log_that_nobody_reads_delays_nobody(tmp_path: Path) -> None:
    """A pipe that is full, for instance: a write to it would wait for ever."""
    read = threading.Event()
    with receiving(tmp_path, log=lambda _: _waited(read)) as receiver:
        told = receiver.deliver(*(payload(f"e-{number}") for number in range(30)))
        read.set()
    assert all(one.accepted for one in told)


def test_what_was_handled_long_ago_is_deleted_while_it_runs(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "RETENTION", timedelta(0))
    monkeypatch.setattr(keeper_module, "_PURGE_SECONDS", 0.0)
    receiver.deliver(payload("e-1"), payload("e-2"))
    receiver.store.inbox.mark([one for one in receiver.stored_deliveries() if one.event_id == "e-1"], "handled")
    assert wait(lambda: [kept.event_id for kept in receiver.stored_deliveries()] == ["e-2"])


def test_a_full_inbox_is_a_503_that_drops_nothing_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_SIZE_SECONDS", 0.0)
    with receiving(tmp_path, inbox_bytes=4000) as receiver:
        told = [receiver.deliver(payload(f"e-{number}"))[0] for number in range(5)]
        assert [one.status for one in told] == [200, 200, 200, 503, 503]
        assert receiver.post(b"").accepted, "the address stays enabled"
        assert [kept.event_id for kept in receiver.stored_deliveries()] == ["e-0", "e-1", "e-2"]
        assert wait(lambda: any("The webhook inbox is full (0.0 MB wait" in line for line in receiver.lines))
        size = receiver.store.inbox.size()
        assert (size.waiting, size.since is not None) == (3, True)
        receiver.store.inbox.mark(receiver.stored_deliveries()[:2], "handled")
        assert receiver.deliver(payload("e-3"))[0].accepted
    assert size.waiting_bytes > 4000
