"""The webhook inbox: once each, in order, sealed, settled, purged; and its migration."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state import Delivery, DeliveryState, StateStore
from fullscript_pipeline.state.schema import MIGRATIONS

_ONE = Delivery(
    server="us-snd", event_id="e-1", body=b'{"name": "Canary\xff\x00"}', clinic_id="c-1", event_type="order.placed"
)


def _store(tmp_path: Path, key: str | None = "a key") -> StateStore:
    return StateStore(tmp_path / "state.sqlite", key)


def test_a_delivery_is_kept_once_per_server_event_and_integration(tmp_path: Path) -> None:
    with _store(tmp_path) as store:
        assert store.inbox.keep_delivery(_ONE)
        others = [replace(_ONE, server="ca-snd"), replace(_ONE, event_id="e-2"), replace(_ONE, integration_id="i-1")]
        assert store.inbox.keep_deliveries([_ONE, *others, others[0], replace(_ONE, body=b"changed")]) == [
            False,
            True,
            True,
            True,
            False,
            False,
        ]
        found = store.inbox.deliveries()
    assert [(one.server, one.event_id, one.integration_id, one.receipts) for one in found] == [
        ("us-snd", "e-1", "", 3),
        ("ca-snd", "e-1", "", 2),
        ("us-snd", "e-2", "", 1),
        ("us-snd", "e-1", "i-1", 1),
    ]
    assert found[0].body == _ONE.body, "the first one stands"


def test_states_and_limits(tmp_path: Path) -> None:
    with _store(tmp_path) as store:
        store.inbox.keep_deliveries([replace(_ONE, event_id=f"e-{number}") for number in range(4)])
        store.inbox.keep_delivery(replace(_ONE, event_id="e-1", integration_id="i-1"))
        named = {(one.event_id, one.integration_id): one for one in store.inbox.deliveries()}
        store.inbox.mark([named["e-0", ""]], "handled")
        store.inbox.mark([named["e-1", "i-1"]], "failed", "what it is about is gone")
        store.inbox.mark([named["e-2", ""], replace(_ONE, server="ca-snd", event_id="e-3")], "ignored", "by hand")
        waiting = store.inbox.deliveries(["received"])
        assert [(one.event_id, one.integration_id) for one in waiting] == [("e-1", ""), ("e-3", "")]
        assert [one.event_id for one in store.inbox.deliveries(["received"], 1)] == ["e-1"]
        (failed,) = store.inbox.deliveries(["failed"], with_body=False)
        assert (failed.reason, failed.tries, failed.body) == ("what it is about is gone", 1, b"")
        assert not store.inbox.keep_delivery(_ONE), "a settled one is known, too"


def test_the_times_are_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2031-01-01T00:00:00Z")
    with _store(tmp_path) as store:
        store.inbox.keep_delivery(_ONE)
        received_at = store.inbox.deliveries()[0].received_at
    assert received_at is not None
    assert abs(received_at - clock.real_now()) < timedelta(minutes=1)


def test_only_old_handled_deliveries_are_purged(tmp_path: Path) -> None:
    with _store(tmp_path) as store:
        store.inbox.keep_deliveries([replace(_ONE, event_id=f"e-{number}") for number in range(6)])
        for delivery, state in zip(store.inbox.deliveries(), get_args(DeliveryState)[1:], strict=False):
            store.inbox.mark([delivery], state)
        assert store.inbox.purge(clock.real_now() - timedelta(hours=1)) == 0
        assert store.inbox.purge(clock.real_now(), limit=1) == 1
        assert store.inbox.purge(clock.real_now()) == 1
        assert [one.event_id for one in store.inbox.deliveries()] == ["e-2", "e-3", "e-4", "e-5"]


def test_bodies_and_the_path_are_sealed_and_follow_the_key(tmp_path: Path) -> None:
    with _store(tmp_path, "old") as store:
        store.inbox.keep_delivery(_ONE)
        path = store.inbox.webhook_path()
        assert len(path) >= 32
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"Canary" not in files
    assert path.encode() not in files
    with _store(tmp_path, "new,old") as store:
        assert store.reseal("new") == 4
    with _store(tmp_path, "new") as store:
        assert store.inbox.deliveries()[0].body == _ONE.body
        assert store.inbox.webhook_path() == path
    with _store(tmp_path, "old") as store, pytest.raises(ConfigurationError, match="another key"):
        store.inbox.deliveries()
    with _store(tmp_path, "old") as store:
        assert store.inbox.deliveries(with_body=False), "a list needs no key"


def test_without_a_key_they_are_kept_as_they_are(tmp_path: Path) -> None:
    with _store(tmp_path, None) as store:
        store.inbox.keep_delivery(_ONE)
        assert store.inbox.deliveries()[0].body == _ONE.body
    with _store(tmp_path) as store:
        assert store.inbox.deliveries()[0].body == _ONE.body, "also when a key is set later"


@pytest.mark.sqlite_file
def test_rows_of_the_first_inbox_survive_the_upgrade(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        for statement in (line for migration in MIGRATIONS[:2] for line in migration):
            connection.execute(statement)
        row = ("us-snd", "e-1", b"plain:{}", "{}", "2026-11-22T00:00:00+00:00", "failed", "x", "2026-11-22T00:00:00")
        connection.execute(f"INSERT INTO webhook_inbox VALUES ({','.join('?' * 8)})", row)
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with _store(tmp_path) as store:
        (found,) = store.inbox.deliveries()
        assert (found.event_id, found.integration_id, found.body, found.state) == ("e-1", "", b"{}", "failed")
        assert not store.inbox.keep_delivery(Delivery(server="us-snd", event_id="e-1", body=b"{}"))
