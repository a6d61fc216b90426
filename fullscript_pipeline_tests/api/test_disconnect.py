"""Taking access away: a grant is forgotten when the server has confirmed it, and kept out of use until then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fullscript_pipeline.api import ClinicRef, FullscriptError, ServerError, WrongAddress, open_session
from fullscript_pipeline.api.authorization_flow import disconnect
from fullscript_pipeline.api.errors import AppRefused, BadResponse, RequestRefused
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.oauth import TokenEndpoint
from fullscript_pipeline.errors import NeedsConnect, UsageError
from fullscript_pipeline.health.clinics import check_clinics
from fullscript_pipeline.settings import ServerSettings, Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.api_sessions import FreeBudget, Sleeps
from fullscript_pipeline_tests.helpers.connected_clinic import connect, connected, settings_for
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server

Ready = tuple[RunningSandbox, Settings, StateStore, ClinicRef]
_KEY = "a key"


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    """A sandbox with its first clinic connected by its owner."""
    with connected(tmp_path) as ready:
        yield ready


def _slug(sandbox: RunningSandbox) -> str:
    return next(iter(sandbox.clinics))


def _status_with(sandbox: RunningSandbox, token: str) -> int:
    url = f"{sandbox.api_url(_slug(sandbox))}/clinic"
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code


def _owed(store: StateStore) -> list[str]:
    return [finding.id for finding in check_clinics(store) if finding.id.endswith(".revoked")]


def test_disconnect_revokes_then_forgets(ready: Ready) -> None:
    sandbox, settings, store, clinic = ready
    grant = store.tokens.load_grant(clinic)
    assert grant is not None
    result = disconnect(settings, store, clinic)
    assert (result.not_revoked, result.exit_code) == (None, 0)
    assert store.clinics.all() == store.revocations.clinics_to_disconnect() == []
    assert store.revocations.users(clinic) == []
    assert _status_with(sandbox, grant.access_token) == 401
    with open_session(settings, store, clinic) as session, pytest.raises(NeedsConnect):
        session.fetch_object("clinic")


@pytest.mark.parametrize(
    ("fault", "exit_code"), [("invalid_client", 78), ("http_500", 69), ("forbidden", 1), ("not_found", 78)]
)
def test_what_the_server_does_not_confirm_is_not_used_and_revoked_by_the_next(
    ready: Ready, fault: str, exit_code: int
) -> None:
    sandbox, settings, store, clinic = ready
    grant = store.tokens.load_grant(clinic)
    assert grant is not None
    sandbox.control.arm(fault, endpoint="/oauth/revoke", count=None)
    result = disconnect(settings, store, clinic)
    assert result.exit_code == exit_code
    assert f"disconnect {clinic.clinic_key}` again" in str(result.not_revoked)
    # Sealed, told by doctor, and no pull uses it.
    assert [user.status for user in store.revocations.users(clinic)] == ["to_be_revoked"]
    assert grant.access_token.encode() not in settings.state_path.read_bytes()
    assert _owed(store) == [f"clinic.{clinic.clinic_key}.revoked"]
    assert (store.clinics.all(), store.tokens.load_grant(clinic)) == ([], None)
    with open_session(settings, store, clinic) as session, pytest.raises(NeedsConnect):
        session.fetch_object("clinic")
    sandbox.control.disarm()
    (again,) = store.revocations.clinics_to_disconnect()
    assert disconnect(settings, store, again).not_revoked is None
    assert (store.revocations.users(clinic), _owed(store)) == ([], [])
    assert _status_with(sandbox, grant.access_token) == 401


def test_disconnect_offline_keeps_the_grant_and_says_what_to_do(tmp_path: Path) -> None:
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri()) as sandbox,
        settings_for(sandbox, tmp_path / "data") as settings,
    ):
        store = StateStore(settings.state_path)
        clinic = connect(settings, store, sandbox, _slug(sandbox))
    with store:  # the sandbox has stopped
        result = disconnect(settings, store, clinic)
        assert (result.exit_code, store.clinics.all()) == (69, [])
        assert "Fullscript web app" in str(result.not_revoked)
        assert [user.status for user in store.revocations.users(clinic)] == ["to_be_revoked"]


def test_a_disconnect_that_dies_leaves_the_grant_to_be_revoked(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings, store, clinic = ready

    class KilledError(BaseException):
        """Stands for SIGKILL: nothing of ours handles it."""

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(TokenEndpoint, "revoke", die)
        disconnect(settings, store, clinic)
    with StateStore(settings.state_path, _KEY) as again:
        assert [user.status for user in again.revocations.users(clinic)] == ["to_be_revoked"]
        assert disconnect(settings, again, clinic).not_revoked is None


def test_a_renewal_under_way_does_not_bring_a_disconnected_grant_back(ready: Ready) -> None:
    _, _, store, clinic = ready
    grant = store.tokens.load_grant(clinic)
    assert grant is not None
    store.revocations.start_revoking(clinic)
    assert store.tokens.save_grant(clinic, grant, expected_generation=grant.generation) is False
    assert store.tokens.load_grant(clinic) is None


def test_one_user_of_several_is_disconnected_and_the_others_go_on(ready: Ready) -> None:
    sandbox, settings, store, clinic = ready
    connect(settings, store, sandbox, _slug(sandbox), "practitioner-2")
    users = {user.is_used: user.user_id for user in store.revocations.users(clinic)}
    assert len(users) == 2
    with pytest.raises(UsageError, match="no user 'nobody'"):
        disconnect(settings, store, clinic, "nobody")
    for user_id in (users[False], users[True]):
        assert [one.status for one in store.clinics.all()] == ["ok"]
        with open_session(settings, store, store.clinics.all()[0]) as session:
            session.fetch_object("clinic")
        assert disconnect(settings, store, clinic, user_id).not_revoked is None
        assert user_id not in {user.user_id for user in store.revocations.users(clinic)}
    assert store.clinics.all() == []


def test_a_clinic_whose_last_working_user_goes_needs_a_connect(ready: Ready) -> None:
    sandbox, settings, store, clinic = ready
    connect(settings, store, sandbox, _slug(sandbox), "practitioner-2")
    working, dead = sorted(store.revocations.users(clinic), key=lambda user: not user.is_used)
    store.tokens.mark_grant_dead(clinic, dead.user_id, store.tokens.grants(clinic)[0].generation, "a reason")
    assert {user.status for user in store.revocations.users(clinic)} == {"ok", "dead"}
    disconnect(settings, store, clinic, working.user_id)
    assert [one.status for one in store.clinics.all()] == ["needs_connect"]


def test_who_connects_again_owes_nothing(ready: Ready) -> None:
    sandbox, settings, store, clinic = ready
    sandbox.control.arm("invalid_client", endpoint="/oauth/revoke", count=None)
    disconnect(settings, store, clinic)
    again = connect(settings, store, sandbox, _slug(sandbox))
    assert again.clinic_key == clinic.clinic_key
    assert [(user.status, user.reason, user.is_used) for user in store.revocations.users(clinic)] == [
        ("ok", None, True)
    ]
    assert _owed(store) == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {}),
        Reply(200, b""),
        Reply(204, b""),
        Reply(200, b"OK"),
        Reply(200, {"error": None}),
        Reply(400, {"error": "invalid_token"}),
        Reply(404, {"error": {"code": "invalid_token", "message": "x"}}),
        Reply(400, {"error": "invalid_grant", "error_description": "the token is unknown"}),
    ],
)
def test_what_counts_as_revoked(reply: Reply) -> None:
    with odd_server([reply]) as server:
        _revoke(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "invalid_client"}), AppRefused),
        (Reply(401, b"no"), AppRefused),
        (Reply(403, {"error": "unauthorized_client"}), AppRefused),
        (Reply(400, {"error": "invalid_request"}), RequestRefused),
        (Reply(400, b"no"), RequestRefused),
        (Reply(404, b"<html>not found</html>"), WrongAddress),
        (Reply(500, {"error": "invalid_token"}), ServerError),
        (Reply(200, b"<html>a login</html>"), BadResponse),
        (Reply(200, {"error": "temporarily_unavailable"}), BadResponse),
        (Reply(302, headers={"Location": "/login"}), BadResponse),
        (Reply(drop=True), ServerError),
    ],
)
def test_what_does_not(reply: Reply, kind: type[FullscriptError]) -> None:
    with odd_server([reply]) as server, pytest.raises(FullscriptError) as caught:
        _revoke(server.url)
    assert type(caught.value) is kind
    assert "canary" not in str(caught.value)


def _revoke(url: str) -> Any:
    server = ServerSettings(
        name="us-snd",
        region="us",
        is_production=False,
        client_id="the id",
        client_secret="canary-secret",
        api_url=url,
        authorize_url=f"{url}/authorize",
    )
    with HttpClient() as client:
        policy = Sleeps().token_policy()
        TokenEndpoint(server, "http://127.0.0.1:1/cb", client, FreeBudget(), policy).revoke("canary-token", "maple")
