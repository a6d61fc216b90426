"""What a digest lists leaves the machine once for each target, and again where it was not received."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fullscript_pipeline.catalog import CatalogChange, Coverage, Digest, make_digest
from fullscript_pipeline.health.events import check_events
from fullscript_pipeline.orchestration.runtime import queue_change_notice, send_change_notices
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.catalog_history import nov

PRICE = CatalogChange(
    "us", nov(22), "variant", "v1", "p1", "b1", "changed", "msrp", "20.00", "22.50", False, 3, "SKU1", "Zinc", "A & <B>"
)


class Receiver:
    """A server on loopback that answers each POST with the next status (200 at last), and keeps what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.url = ""


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/a-secret-path"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield receiver
        server.shutdown()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with running(Receiver()) as made:
        monkeypatch.setenv("FULLSCRIPT_ON_CHANGE_URL", made.url)
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore(tmp_path / "state.sqlite") as opened:
        yield opened


def digest(*rows: CatalogChange, coverage: int = 100) -> Digest:
    return make_digest("us", nov(21), nov(22), Coverage(products=coverage, variants=300, full_listing=True), rows)


def told(store: StateStore, made: Digest) -> list[str]:
    settings = load_settings()
    queue_change_notice(settings, store, made)
    return send_change_notices(settings, store)


def test_a_digest_is_sent_once_to_each_target(
    receiver: Receiver, store: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "told.json"
    script = f"import sys; open({str(kept)!r}, 'a').write(sys.stdin.read() + chr(10))"
    monkeypatch.setenv("FULLSCRIPT_ON_CHANGE_COMMAND", f'{sys.executable} -c "{script}"')
    monkeypatch.setenv("FULLSCRIPT_REPORTS_BASE_URL", "https://pages.example")
    for _ in range(2):
        told(store, digest(PRICE))
    (message,) = receiver.got
    assert [json.loads(line) for line in kept.read_text().splitlines()] == [message]
    assert message["text"] == (
        "Catalog changes, US, 21 → 22 Nov 2026, coverage 100 products seen (full listing). 1 change (price rises: 1). "
        "https://pages.example/catalog/us/2026-11-22.html"
    )
    (section,) = message["sections"]
    assert (section["key"], section["more"]) == ("price_up", 0)
    assert section["changes"][0]["product_name"] == "Zinc"
    assert message["counts"]["price_up"] == 1


def test_what_was_not_received_is_sent_again_with_the_same_id(
    receiver: Receiver, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.statuses = [503, 500]
    assert told(store, digest(PRICE)) == ["FULLSCRIPT_ON_CHANGE_URL answered 503."]
    (finding,) = [found for found in check_events(load_settings(), store) if found.id == "catalog.change_notices"]
    assert (finding.state, "answered 503" in finding.what, "secret" in finding.what) == ("warn", True, False)
    assert send_change_notices(load_settings(), store) == [], "it waits a minute"
    now = time.time()
    for minutes in (2, 9):
        monkeypatch.setattr(time, "time", lambda minutes=minutes: now + minutes * 60)
        send_change_notices(load_settings(), store)
    assert len({message["id"] for message in receiver.got}) == 1
    assert len(receiver.got) == 3
    assert send_change_notices(load_settings(), store) == []
    assert not [found for found in check_events(load_settings(), store) if found.id == "catalog.change_notices"]


def test_a_digest_that_lists_more_later_replaces_its_message(receiver: Receiver, store: StateStore) -> None:
    told(store, digest(PRICE))
    told(store, digest(PRICE, PRICE._replace(entity_id="v2")))
    first, second = receiver.got
    assert (first["replaces"], second["replaces"]) == (None, first["id"])
    assert first["id"].startswith("us-2026-11-22-")


def test_a_held_digest_and_a_day_without_changes_have_no_message(receiver: Receiver, store: StateStore) -> None:
    gone = PRICE._replace(entity="product", change="removed", field=None, old_value=None, new_value=None)
    held = digest(*(gone._replace(entity_id=f"p{n}") for n in range(60)))
    assert held.held
    assert (told(store, held), told(store, digest())) == ([], [])
    assert receiver.got == []


def test_a_message_holds_no_small_count_and_no_secret(
    receiver: Receiver, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_PUBLISH_KEY", "a-long-and-secret-canary")
    told(store, digest(PRICE))
    (message,) = receiver.got
    (change,) = message["sections"][0]["changes"]
    assert change["active_plans"] is None, "three plans could name a patient"
    assert "canary" not in json.dumps(message)
    assert "secret" not in json.dumps(message)


def test_an_unreachable_target_holds_nobody_up(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_ON_CHANGE_URL", "http://127.0.0.1:9/hook")
    assert told(store, digest(PRICE)) == ["FULLSCRIPT_ON_CHANGE_URL could not be reached (URLError)."]
    monkeypatch.delenv("FULLSCRIPT_ON_CHANGE_URL")
    assert told(store, digest(PRICE)) == []
