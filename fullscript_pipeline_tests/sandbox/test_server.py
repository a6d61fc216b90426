"""The server as a whole: authorize page, restarts, control plane, the command and its bad inputs."""

import signal
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from fullscript_pipeline.sandbox.client import SandboxControl, find_running
from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.server import advance_offline, create_app, serving
from fullscript_pipeline_tests.helpers.sandbox_server import START, RunningSandbox, running_sandbox


def post(running: RunningSandbox, what: str, **form: str) -> httpx.Response:
    app = running.apps["us-snd"]
    credentials = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    # Form encoded here; the fixture's connect() sends JSON. Both are accepted.
    return httpx.post(f"{app['api_url']}/oauth/{what}", data=credentials | form, trust_env=False)


def test_the_authorize_page_offers_clinics_and_passes_the_state_through(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as running:
        app = running.apps["us-snd"]
        asked = {"client_id": app["client_id"], "redirect_uri": running.redirect_uri, "response_type": "code"}
        for url in (app["authorize_url"], f"{app['api_url']}/oauth/authorize"):
            page = httpx.get(url, params=asked | {"state": "a&b\"<'"}, trust_env=False)
            assert page.status_code == 200
            assert 'value="maple-street"' in page.text
            assert "cedre-rouge" not in page.text
        back = running.authorize("maple-street", state='a&b"<').headers["location"]
        assert httpx.URL(back).params["state"] == 'a&b"<'
        for wrong in ({"client_id": "x"}, {"redirect_uri": "http://127.0.0.1:1/"}, {"login": "cedre-rouge"}):
            assert httpx.get(app["authorize_url"], params=asked | wrong, trust_env=False).status_code == 404
        running.connect("maple-street")
        only_one_left = httpx.get(app["authorize_url"], params=asked, trust_env=False)
        assert only_one_left.status_code == 302
        token_mode = httpx.get(app["authorize_url"], params=asked | {"response_type": "token"}, trust_env=False)
        assert httpx.URL(token_mode.headers["location"]).params["error"] == "unsupported_response_type"


def test_saying_no_and_saying_who(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as running:
        app = running.apps["ca-snd"]
        asked = {"client_id": app["client_id"], "redirect_uri": running.redirect_uri, "response_type": "code"}
        asked |= {"state": "s&s", "consent": "1"}
        page = httpx.get(app["authorize_url"], params=asked, trust_env=False)
        assert page.status_code == 200
        for text in ("Cancel", "patients:order_history", 'value="cedre-rouge/practitioner-2"', 'value="s&amp;s"'):
            assert text in page.text
        denied = httpx.get(app["authorize_url"], params=asked | {"deny": "1"}, trust_env=False)
        back = httpx.URL(denied.headers["location"])
        assert dict(back.params) == {"error": "access_denied", "state": "s&s"}
        for login in ("cedre-rouge/practitioner-9", "cedre-rouge/nobody-1", "cedre-rouge/staff-x"):
            assert httpx.get(app["authorize_url"], params=asked | {"login": login}, trust_env=False).status_code == 404


def test_tokens_over_http(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as running:
        token = running.connect("maple-street")
        assert token["token_type"] == "Bearer"
        assert token["expires_in"] == 7200
        assert token["resource_owner"]["type"] == "Practitioner"
        fresh = post(running, "token", grant_type="refresh_token", refresh_token=token["refresh_token"]).json()["oauth"]
        again = post(running, "token", grant_type="refresh_token", refresh_token=token["refresh_token"])
        assert again.status_code == 200, "the old refresh token lives until the new access token is used"
        clinic = f"{running.api_url('maple-street')}/clinic"
        header = {"Authorization": f"Bearer {fresh['access_token']}"}
        assert httpx.get(clinic, headers=header, trust_env=False).status_code == 200
        late = post(running, "token", grant_type="refresh_token", refresh_token=token["refresh_token"])
        assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
        running.control.expire_tokens()
        assert httpx.get(clinic, headers=header, trust_env=False).status_code == 401
        alive = post(running, "token", grant_type="refresh_token", refresh_token=fresh["refresh_token"])
        assert alive.status_code == 200
        gone = post(running, "revoke", token=fresh["access_token"])
        assert (gone.status_code, gone.json()) == (200, {})
        assert (
            post(running, "token", grant_type="refresh_token", refresh_token=fresh["refresh_token"]).status_code == 400
        )
        assert post(running, "token", client_secret="x", grant_type="refresh_token").status_code == 401
        assert post(running, "token", grant_type="password").json()["error"] == "unsupported_grant_type"


def test_clock_credentials_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as running:
        token = running.connect("cedre-rouge")
        running.control.advance(days=3)
        before = running.control.state()
        header = {"Authorization": f"Bearer {token['access_token']}"}
        orders = httpx.get(f"{running.api_url('cedre-rouge')}/clinic/orders", headers=header, trust_env=False).json()
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    assert find_running(tmp_path) is None
    advanced = advance_offline(tmp_path, to=date(2026, 11, 27))
    assert advanced["days"] == 2
    with serving(tmp_path) as base_url:
        control = find_running(tmp_path)
        assert control is not None
        with control:
            after = control.state()
        again = httpx.get(f"{base_url}/ca-snd/api/clinic/orders", headers=header, trust_env=False).json()
    assert after["day"] == "2026-11-27"
    secret = [state["servers"]["ca-snd"]["client_secret"] for state in (before, after)]
    assert secret[0] == secret[1]
    kept = [order["id"] for order in orders["orders"]]
    assert [order["id"] for order in again["orders"]][: len(kept)] == kept, "the past is as it was"
    assert again["meta"]["total_count"] > orders["meta"]["total_count"]


@pytest.mark.parametrize("body", [{"days": 0}, {"days": -2}, {"days": "1"}, {"days": True}, {"to": "2026-11-01"}])
def test_a_clock_cannot_be_moved_backwards_or_by_nonsense(control: SandboxControl, body: dict[str, Any]) -> None:
    answer = httpx.post(f"{control.base_url}/_sandbox/advance", json=body, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"to": "soon"}', b'{"to": 5}', b'{"days": 1, "to": "2026-12-01"}']
)
def test_a_malformed_advance_is_a_sentence(control: SandboxControl, text: bytes) -> None:
    answer = httpx.post(f"{control.base_url}/_sandbox/advance", content=text, trust_env=False)
    assert answer.status_code == 400
    assert "." in answer.json()["error"]


@pytest.fixture(scope="module", name="control")
def _control(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running.control


def test_control_says_what_is_wrong(control: SandboxControl) -> None:
    with pytest.raises(SandboxError, match="no clinic 'nowhere'"):
        control.revoke("nowhere")
    with pytest.raises(SandboxError, match="No sandbox answers"):
        SandboxControl("http://127.0.0.1:9").state()


def test_bad_starts_are_sentences(tmp_path: Path) -> None:
    create_app(tmp_path / "made", patients=5, products=10, start=START)
    with pytest.raises(SandboxError, match="made with patients 5, not 6"):
        create_app(tmp_path / "made", patients=6)
    with pytest.raises(SandboxError, match="patients is 1;"):
        create_app(tmp_path / "tiny", patients=1)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.json").write_text("{")
    with pytest.raises(SandboxError, match="cannot be parsed"):
        create_app(tmp_path / "broken")
    with pytest.raises(SandboxError, match="no sandbox in"):
        advance_offline(tmp_path / "nothing", days=1)
    with running_sandbox(tmp_path / "busy") as running:
        with pytest.raises(SandboxError, match="Another sandbox uses"):
            advance_offline(tmp_path / "busy", days=1)
        port = int(running.base_url.rpartition(":")[2])
        with pytest.raises(SandboxError, match=f"Port {port} "), serving(tmp_path / "other", port=port):
            pass


def test_the_command_says_when_it_is_ready_and_stops_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fullscript_pipeline.sandbox", "--directory", str(tmp_path), "--port", "0"]
    command += ["--patients", "5", "--products", "10", "--start", "2026-11-22"]
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout
            line = process.stdout.readline()
            base_url = line.removeprefix("sandbox ready ").strip()
            assert (tmp_path / "address").read_text().strip() == base_url
            # A connection kept open must not hold the server up.
            with SandboxControl(base_url) as control:
                assert control.state()["day"] == "2026-11-22"
                process.send_signal(number)
                output, errors = process.communicate(timeout=15)
            assert (process.returncode, output, errors) == (0, "", "")
        assert not (tmp_path / "address").exists()


def test_a_port_in_use_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "fullscript_pipeline.sandbox", "--directory", str(tmp_path), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"Port {port} of 127.0.0.1 cannot be used; choose another one, or 0 for any.\n"
    assert not (tmp_path / "state.json").exists(), "nothing half-made stays behind"
