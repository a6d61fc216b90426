"""What `doctor` says of a state store on PostgreSQL."""

from pathlib import Path

import pytest

from fullscript_pipeline.health import Finding, check_all
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.postgres import PostgresDatabase
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer

pytestmark = pytest.mark.check_all


def _finding() -> Finding:
    (found,) = [finding for finding in check_all(load_settings()) if finding.id == "state.store"]
    return found


@pytest.fixture(autouse=True)
def state_url(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    address = postgres.url_of(str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", address)
    return address


def test_none_is_made_by_looking() -> None:
    assert _finding().state == "skip"
    assert _finding().state == "skip"


def test_a_server_elsewhere_without_tls_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    StateStore.open(load_settings()).close()
    assert (_finding().state, "without TLS" in _finding().what) == ("pass", True)
    monkeypatch.setattr(PostgresDatabase, "is_on_this_machine", lambda _: False)
    assert (_finding().state, "sslmode=verify-full" in str(_finding().fix)) == ("fail", True)


def test_a_server_that_does_not_answer_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", f"postgresql://somebody:secret@127.0.0.1:{free_port()}/db")
    found = _finding()
    assert (found.state, found.exit_code, "secret" in str(found)) == ("fail", 1, False)
