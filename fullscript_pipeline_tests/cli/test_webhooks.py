"""`webhooks serve` refuses what cannot work; `webhooks inbox` shows and settles what was received."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fullscript_pipeline.cli.webhooks import webhooks
from fullscript_pipeline.errors import Busy, ConfigurationError, UsageError
from fullscript_pipeline.state import Delivery, StateStore


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "a key")
    return tmp_path / "data"


@pytest.fixture
def filled(data_dir: Path) -> Path:
    body = b'{"event": {"patient": "Canary"}}'
    with StateStore(data_dir / "state.sqlite", "a key") as store:
        store.inbox.keep_deliveries(
            [
                Delivery(server="us-snd", event_id="e-1", body=body, event_type="order.placed", clinic_id="c-1"),
                Delivery(server="us-snd", event_id="e-2", integration_id="i-1", body=body),
                Delivery(server="us-snd", event_id="e-2", integration_id="i-2", body=body),
            ]
        )
        store.inbox.mark(store.inbox.deliveries()[:1], "failed", "the order is gone")
    return data_dir


def run(*words: str) -> Result:
    return CliRunner().invoke(webhooks, list(words))


def listed() -> list[dict[str, object]]:
    return [json.loads(line) for line in run("inbox", "list", "--json").stdout.splitlines()]


def test_the_list_shows_every_row_and_no_body_unless_asked(filled: Path) -> None:
    rows = listed()
    assert [(row["event_id"], row["integration_id"], row["state"]) for row in rows] == [
        ("e-1", None, "failed"),
        ("e-2", "i-1", "received"),
        ("e-2", "i-2", "received"),
    ]
    assert rows[0]["reason"] == "the order is gone"
    plain, full = run("inbox", "list"), run("inbox", "list", "--json", "--body")
    assert "the order is gone" in plain.stdout
    assert "Canary" not in plain.output + json.dumps(rows)
    assert "Canary" in json.loads(full.stdout.splitlines()[0])["body"]
    assert run("inbox", "list", "--body").exit_code == 2


def test_an_empty_inbox_says_so(data_dir: Path) -> None:
    told = run("inbox", "list")
    assert (told.exit_code, told.stdout) == (0, "")
    assert "empty" in told.stderr
    assert run("inbox", "list", "--json").output == ""


def test_replay_and_ignore(filled: Path) -> None:
    assert run("inbox", "ignore", "e-2").exit_code == 0
    assert [(row["event_id"], row["state"]) for row in listed()] == [
        ("e-1", "failed"),
        ("e-2", "ignored"),
        ("e-2", "ignored"),
    ]
    assert "1 deliveries wait" in run("inbox", "replay").stderr, "every failed one"
    assert "2 deliveries wait" in run("inbox", "replay", "e-2").stderr
    assert {row["state"] for row in listed()} == {"received"}
    assert run("inbox", "ignore").exit_code == 2


@pytest.mark.parametrize("command", ["replay", "ignore"])
def test_an_unknown_event_is_told_and_nothing_is_changed(filled: Path, command: str) -> None:
    before = listed()
    told = run("inbox", command, "e-1", "nope")
    assert isinstance(told.exception, UsageError)
    assert "no event nope;" in str(told.exception)
    assert listed() == before


def test_serving_needs_a_token_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("serve", "--port", "0").exception
    assert isinstance(told, ConfigurationError)
    assert "WEBHOOK_CHALLENGE_TOKEN" in str(told)
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN", "t0ken")
    told = run("serve", "--port", "0").exception
    assert isinstance(told, ConfigurationError)
    assert "us-snd are not received: set FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS" in str(told)
    assert "t0ken" not in str(told)


def test_production_needs_a_good_encryption_key_and_its_own_directory(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_US_WEBHOOK_CHALLENGE_TOKEN", "t")
    monkeypatch.setenv("FULLSCRIPT_US_WEBHOOK_SIGNATURE_KEYS", "k")
    told = str(run("serve", "--port", "0").exception)
    assert "can be guessed" in told
    assert "fullscript-pipeline keys new" in told
    with StateStore(data_dir / "state.sqlite", "a key") as store:
        store.facts.set_environment_kind("sandbox")
    assert "for sandbox servers" in str(run("serve", "--port", "0").exception)
    monkeypatch.delenv("FULLSCRIPT_ENCRYPTION_KEY")
    assert "FULLSCRIPT_ENCRYPTION_KEY" in str(run("serve", "--port", "0").exception)


def test_a_port_in_use_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN", "t")
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS", "k")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = run("serve", "--port", str(port)).exception
    assert isinstance(told, Busy)
    assert f"Port {port}" in str(told)
    assert isinstance(run("serve", "--port", "99999").exception, UsageError)
