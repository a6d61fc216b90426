"""`web invite` and `web audit`, as an operator runs them beside the portal; and that a purge reaches the queue."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from fullscript_pipeline.acting_user import acting_user
from fullscript_pipeline.cli.web import web
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.web import erase_from_portal
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal, running_portal

CLINIC, NEW = "maple-street", "harbor-point"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPortal]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        running_portal(
            tmp_path_factory.mktemp("commands"), monkeypatch, patients=5, clinics=2, without_pages=(NEW,)
        ) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def _no_dotenv_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(web, list(words))


def test_the_printed_link_lets_a_clinic_be_connected(portal: RunningPortal) -> None:
    server = portal.sandbox.clinics[NEW]["server"]
    printed = run("invite", server, "--days", "3")
    assert printed.exit_code == 0, printed.output
    link = printed.stdout.splitlines()[0]
    assert link.startswith(f"{portal.url}/signin/{server}?invitation=")
    text = parse_qs(urlsplit(link).query)["invitation"][0]
    client = portal.browser()
    client.get(portal.begin(client, NEW, invitation=text).headers["location"])
    assert client.get("/connect").status_code == 200
    made = [entry for entry in portal.portal.audit.entries() if entry["event"] == "invitation made"]
    assert [(entry["server"], entry["days"]) for entry in made] == [(server, 3)]
    assert (made[0]["os_user"], made[0]["host"]) == (acting_user()["user"], acting_user()["host"])


def test_no_invitation_where_the_pipelines_app_is_answered_elsewhere(
    portal: RunningPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_REDIRECT_URI", "http://127.0.0.1:8765/callback")
    failed = run("invite", "us-snd")
    assert isinstance(failed.exception, ConfigurationError)
    assert "FULLSCRIPT_REDIRECT_URI" in str(failed.exception)


def test_the_commands_refuse_the_encryption_key(portal: RunningPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "x")
    for words in (("invite", "us-snd"), ("audit",)):
        assert "must never have the encryption key" in str(run(*words).exception)


def test_a_purge_reaches_the_queue(portal: RunningPortal) -> None:
    server, clinic_id = (portal.sandbox.clinics[CLINIC][name] for name in ("server", "clinic_id"))
    first, second, *_ = portal.patients[CLINIC]
    for patient in (first, second):
        portal.portal.requests.ask_to_read(server, clinic_id, patient)
    store = portal.portal.configuration.store
    assert erase_from_portal(store, server=server, clinic_id=clinic_id, patient_id=first) == 1
    assert portal.portal.requests.latest(server, clinic_id, first) is None
    assert portal.portal.requests.latest(server, clinic_id, second) is not None


def test_the_audit_log_is_printed_and_a_changed_entry_fails(portal: RunningPortal) -> None:
    portal.sign_in(CLINIC)
    printed = run("audit", "--last", "2")
    assert printed.exit_code == 0, printed.output
    assert [json.loads(line)["event"] for line in printed.stdout.splitlines() if line.startswith("{")][
        -1
    ] == "signed in"
    with closing(sqlite3.connect(portal.portal.configuration.store)) as connection:
        connection.execute("UPDATE audit_log SET entry = replace(entry, 'signed in', 'signed up') WHERE number = 2")
        connection.execute("UPDATE audit_log SET entry = entry || ' ' WHERE number = 1")
        connection.commit()
    failed = run("audit")
    assert isinstance(failed.exception, ConfigurationError)
    assert "was changed" in str(failed.exception)
