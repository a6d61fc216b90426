"""The connect flow against the sandbox: what connects, and everything that must not."""

import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import psutil
import pytest

from fullscript_pipeline.api import ConnectRefused, open_session
from fullscript_pipeline.api.authorization_flow import ConnectFlow
from fullscript_pipeline.api.errors import AppRefused
from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.connected_clinic import connect, settings_for, sign_in, token_calls
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox

Ready = tuple[RunningSandbox, Settings, StateStore]


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    """A sandbox, settings for it, an empty store."""
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri()) as sandbox,
        settings_for(sandbox, tmp_path / "data", FULLSCRIPT_ENCRYPTION_KEY="a key") as settings,
        StateStore.open(settings) as store,
    ):
        yield sandbox, settings, store


def _first(sandbox: RunningSandbox, server: str = "us-snd") -> str:
    return next(slug for slug, clinic in sandbox.clinics.items() if clinic["server"] == server)


def _state(flow: ConnectFlow) -> str:
    return parse_qs(urlsplit(flow.authorize_url).query)["state"][0]


def _callback(settings: Settings, values: dict[str, str], **headers: str) -> httpx.Response:
    return httpx.get(f"{settings.redirect_uri}?{urlencode(values)}", headers=headers, trust_env=False)


def test_a_clinic_is_stored_before_the_browser_hears_200(ready: Ready) -> None:
    sandbox, settings, store = ready
    slug = _first(sandbox)
    with ConnectFlow(settings, store, "US_SND") as flow:
        answer = sign_in(flow, slug)
        stored = store.clinics.all()
        result = flow.wait(1)
    assert answer.status_code == 200
    assert "is connected" in answer.text
    assert [clinic.clinic_id for clinic in stored] == [result.clinic.clinic_id]
    assert (result.user_type, result.clinic.server, result.clinic.region) == ("Practitioner", "us-snd", "us")
    assert dict(result.missing_read_scopes) == {}
    assert result.write_scopes == ()
    grant = store.tokens.load_grant(result.clinic)
    assert grant is not None
    assert grant.patients_visible
    with open_session(settings, store, result.clinic) as session:
        assert session.fetch_object("clinic").record["id"] == result.clinic.clinic_id


def test_all_clinics_of_both_servers(ready: Ready) -> None:
    sandbox, settings, store = ready
    keys = {connect(settings, store, sandbox, slug).clinic_key for slug in sandbox.clinics}
    assert len(keys) == len(sandbox.clinics) == 3
    assert {clinic.region for clinic in store.clinics.all()} == {"us", "ca"}
    assert {clinic.status for clinic in store.clinics.all()} == {"ok"}


def test_scopes_are_reported_in_words(tmp_path: Path) -> None:
    scopes = "catalog:read clinic:read clinic:write"
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri(), scopes=scopes) as sandbox,
        settings_for(sandbox, tmp_path / "data") as settings,
        StateStore(settings.state_path) as store,
        ConnectFlow(settings, store, "us-snd") as flow,
    ):
        sign_in(flow, _first(sandbox))
        result = flow.wait(5)
    assert "patients:order_history" in result.missing_read_scopes
    assert "adherence" in result.missing_read_scopes["patients:order_history"]
    assert result.write_scopes == ("clinic:write",)


def test_connecting_again_keeps_the_key_and_heals(ready: Ready) -> None:
    sandbox, settings, store = ready
    first = connect(settings, store, sandbox, _first(sandbox))
    store.clinics.mark_needs_connect(first, "a reason")
    again = connect(settings, store, sandbox, _first(sandbox))
    assert again.clinic_key == first.clinic_key
    assert [clinic.status for clinic in store.clinics.all()] == ["ok"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": None}, "no state"),
        ({"state": "made-up"}, "not started here"),
        ({"state": "other server"}, "not started here"),
        ({"state": "used"}, "used already"),
        ({"state": "old"}, "ten minutes"),
    ],
)
def test_a_callback_that_is_not_ours_is_refused_and_the_right_one_still_counts(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, change: dict[str, str | None], words: str
) -> None:
    sandbox, settings, store = ready
    slug = _first(sandbox)
    with ConnectFlow(settings, store, "us-snd") as flow:
        state = change["state"]
        if state == "other server":
            state = store.tokens.new_oauth_state("ca-snd")
        if state == "used":
            state = store.tokens.new_oauth_state("us-snd")
            store.tokens.use_oauth_state("us-snd", state)
        if state == "old":
            state = store.tokens.new_oauth_state("us-snd")
            with store.db.write() as connection:
                connection.exec_driver_sql("UPDATE oauth_states SET created_s = created_s - 601")
            store.tokens.new_oauth_state("us-snd")
        values = {"code": sandbox.code(slug)} | ({"state": state} if state else {})
        answer = _callback(settings, values)
        assert answer.status_code == 400
        assert words in answer.text
        assert store.clinics.all() == []
        assert token_calls(sandbox) == {}
        if change["state"] != "old":  # that one aged this flow's state as well
            assert sign_in(flow, slug).status_code == 200
            assert flow.wait(5).clinic.server == "us-snd"


@pytest.mark.parametrize("error", ["access_denied", "server_error"])
def test_a_denied_sign_in_ends_the_wait(ready: Ready, error: str) -> None:
    _, settings, store = ready
    with ConnectFlow(settings, store, "us-snd") as flow:
        answer = _callback(settings, {"error": error, "state": _state(flow)})
        assert answer.status_code == 400
        with pytest.raises(ConnectRefused, match="nothing was connected") as caught:
            flow.wait(5)
    assert caught.value.exit_code == 1
    assert store.clinics.all() == []


def test_a_code_that_was_used_is_refused(ready: Ready) -> None:
    sandbox, settings, store = ready
    slug = _first(sandbox)
    with ConnectFlow(settings, store, "us-snd") as flow:
        code = sandbox.code(slug)
        sandbox_app = sandbox.apps["us-snd"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": sandbox.redirect_uri}
        form |= {key: sandbox_app[key] for key in ("client_id", "client_secret")}
        assert httpx.post(f"{sandbox_app['api_url']}/oauth/token", json=form, trust_env=False).status_code == 200
        answer = _callback(settings, {"code": code, "state": _state(flow)})
        assert answer.status_code == 400
        with pytest.raises(ConnectRefused, match="does not take the code"):
            flow.wait(5)
    assert store.clinics.all() == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1"])
def test_a_spoofed_host_finds_no_page(ready: Ready, host: str) -> None:
    sandbox, settings, store = ready
    with ConnectFlow(settings, store, "us-snd") as flow:
        values = {"code": sandbox.code(_first(sandbox)), "state": _state(flow)}
        assert _callback(settings, values, Host=host).status_code == 404
        assert store.clinics.all() == []


def test_the_listener_is_bound_to_loopback_alone(ready: Ready) -> None:
    _, settings, store = ready
    port = urlsplit(settings.redirect_uri).port
    with ConnectFlow(settings, store, "us-snd"):
        bound = {
            one.laddr.ip
            for one in psutil.Process().net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port
        }
    assert bound == {"127.0.0.1"}


def test_the_servers_own_deny_page_ends_the_wait(ready: Ready) -> None:
    _, settings, store = ready
    with ConnectFlow(settings, store, "us-snd") as flow:
        answer = httpx.get(f"{flow.authorize_url}&deny=1", follow_redirects=True, trust_env=False)
        assert answer.status_code == 400
        assert "did not allow the access" in answer.text
        with pytest.raises(ConnectRefused, match="nothing was connected"):
            flow.wait(5)


def test_only_the_redirect_path_and_get_exist(ready: Ready) -> None:
    _, settings, store = ready
    with ConnectFlow(settings, store, "us-snd"):
        for path in ("/", "/callback/x", "/favicon.ico"):
            url = settings.redirect_uri.replace("/callback", path)
            assert httpx.get(url, trust_env=False).status_code == 404
        assert httpx.post(settings.redirect_uri, trust_env=False).status_code == 501


def test_a_page_cannot_be_made_to_show_markup(ready: Ready) -> None:
    _, settings, store = ready
    with ConnectFlow(settings, store, "us-snd"):
        answer = _callback(settings, {"state": "<script>alert(1)</script>", "error": "<b>"})
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.headers["cache-control"] == "no-store"


def test_a_wrong_secret_is_a_configuration_error(ready: Ready) -> None:
    sandbox, settings, store = ready
    wrong = replace(settings.server("us-snd"), client_secret="canary")
    changed = settings.model_copy(update={"servers": {**settings.servers, "us-snd": wrong}})
    with ConnectFlow(changed, store, "us-snd") as flow:
        assert sign_in(flow, _first(sandbox)).status_code == 502
        with pytest.raises(AppRefused, match="FULLSCRIPT_US_SND_CLIENT_SECRET") as caught:
            flow.wait(5)
    assert isinstance(caught.value, ConfigurationError)
    assert "canary" not in str(caught.value)


def test_a_pasted_address_does_the_same(ready: Ready) -> None:
    sandbox, settings, store = ready
    slug = _first(sandbox)
    flow = ConnectFlow(settings, store, "us-snd")
    with pytest.raises(ConnectRefused, match="whole address"):
        flow.paste("https://evil.example/callback?code=1&state=2")
    back = httpx.get(f"{flow.authorize_url}&login={slug}", trust_env=False).headers["location"]
    assert flow.paste(f"  {back}\n").clinic.server == "us-snd"
    with pytest.raises(ConnectRefused, match="used already"):
        flow.paste(back)


def test_nobody_coming_back_ends_the_wait(ready: Ready) -> None:
    _, settings, store = ready
    with ConnectFlow(settings, store, "us-snd") as flow, pytest.raises(ConnectRefused, match="Nobody signed in"):
        flow.wait(0.05)


def test_two_connects_at_once_report_the_port(ready: Ready) -> None:
    _, settings, store = ready
    with (
        ConnectFlow(settings, store, "us-snd"),
        pytest.raises(Busy, match="used by another program"),
        ConnectFlow(settings, store, "ca-snd"),
    ):
        pass


def test_a_redirect_uri_elsewhere_needs_paste(ready: Ready) -> None:
    _, settings, store = ready
    elsewhere = settings.model_copy(update={"redirect_uri": "https://app.example/callback"})
    with pytest.raises(ConfigurationError, match="--paste"), ConnectFlow(elsewhere, store, "us-snd"):
        pass


def test_a_directory_takes_sandboxes_or_production_never_both(ready: Ready) -> None:
    sandbox, settings, store = ready
    connect(settings, store, sandbox, _first(sandbox))
    production = replace(settings.server("us"), client_id="id", client_secret="secret")
    both = settings.model_copy(update={"servers": {**settings.servers, "us": production}})
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
        ConnectFlow(both, store, "us")


def test_tokens_are_unreadable_at_rest_and_files_private(ready: Ready) -> None:
    sandbox, settings, store = ready
    clinic = connect(settings, store, sandbox, _first(sandbox))
    grant = store.tokens.load_grant(clinic)
    assert grant is not None
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files)
    assert grant.access_token.encode() not in everything
    assert grant.refresh_token.encode() not in everything
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [path for path in settings.data_dir.rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_no_thread_is_left_behind(ready: Ready) -> None:
    sandbox, settings, store = ready
    before = threading.active_count()
    connect(settings, store, sandbox, _first(sandbox))
    assert threading.active_count() <= before + 1
