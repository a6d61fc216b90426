"""Rotation: one refresh per expiry, nothing lost whatever dies, a dead grant told quietly and once.

Against the sandbox, which rotates by the vendor's rule: the old refresh token lives until the new access token is
used for the first time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, Grant, ServerError, open_session
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.oauth import TokenEndpoint
from fullscript_pipeline.api.tokens import TokenKeeper
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.settings import ServerSettings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.token_store import GrantRecords
from fullscript_pipeline_tests.helpers.api_sessions import FreeBudget, Sleeps
from fullscript_pipeline_tests.helpers.connected_clinic import connected, token_calls
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, odd_server

_CLINIC = ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us", name="Maple")


def _grant(**changes: Any) -> Grant:
    now = clock.real_now()
    old = Grant(
        user_id="u-1",
        user_type="Staff",
        scopes=("patients:read",),
        obtained_at=now - timedelta(hours=3),
        expires_at=now - timedelta(hours=1),
        access_token="a-1",
        refresh_token="r-1",
    )
    return replace(old, **changes)


def _keeper(store: StateStore, server: OddServer, client: HttpClient) -> TokenKeeper:
    app = ServerSettings(
        name="us-snd",
        region="us",
        is_production=False,
        client_id="id",
        client_secret="secret",
        api_url=server.url,
        authorize_url=server.url,
    )
    endpoint = TokenEndpoint(app, "http://127.0.0.1:1/cb", client, FreeBudget(), Sleeps().token_policy())
    return TokenKeeper(_CLINIC, store.tokens, endpoint)


def _store(path: Path) -> StateStore:
    store = StateStore(path / "state.sqlite")
    store.clinics.register("us-snd", "c-1", "us", "Maple")
    store.tokens.save_grant(_CLINIC, _grant())
    return store


def _pair(number: int) -> Reply:
    return Reply(body={"oauth": {"access_token": f"a-{number}", "refresh_token": f"r-{number}", "expires_in": 7200}})


def test_thirty_two_threads_and_one_expiry_make_one_refresh(tmp_path: Path) -> None:
    with connected(tmp_path) as (sandbox, settings, store, clinic):
        sandbox.control.expire_tokens()
        sandbox.control.reset_requests()
        sessions = [open_session(settings, store, clinic) for _ in range(4)]
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda n: sessions[n % 4].fetch_object("clinic").record["id"], range(64)))
        for session in sessions:
            session.close()
        assert set(answers) == {clinic.clinic_id}
        assert token_calls(sandbox) == {200: 1}


class _KilledError(BaseException):
    """Stands for SIGKILL at one point: nothing of ours handles it."""


def _die_before(target: Any, name: str) -> Callable[..., Any]:
    def dying(*_args: object, **_named: object) -> None:
        raise _KilledError

    return dying


def _die_after(target: Any, name: str) -> Callable[..., Any]:
    original = getattr(target, name)

    def dying(*args: object, **named: object) -> None:
        original(*args, **named)
        raise _KilledError

    return dying


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("refresh", _die_before),  # before the POST
        ("refresh", _die_after),  # the server has committed, we have not heard of it
        ("save_grant", _die_before),  # heard, not written
        ("save_grant", _die_after),  # written, not used
        ("confirm_grant", _die_before),  # used, not confirmed
        ("confirm_grant", _die_after),
    ],
)
def test_death_at_any_point_costs_no_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, how: Callable[..., Any]
) -> None:
    with connected(tmp_path) as (sandbox, settings, store, clinic):
        sandbox.control.expire_tokens()
        target = TokenEndpoint if what == "refresh" else GrantRecords
        with monkeypatch.context() as patched, open_session(settings, store, clinic) as dying:
            patched.setattr(target, what, how(target, what))
            with pytest.raises(_KilledError):
                dying.fetch_object("clinic")
        with StateStore.open(settings) as again:
            for _ in range(2):
                with open_session(settings, again, clinic) as session:
                    assert session.fetch_object("clinic").record["id"] == clinic.clinic_id
                sandbox.control.expire_tokens()
            assert again.clinics.all()[0].status == "ok"
        assert 400 not in token_calls(sandbox)


def test_a_withdrawn_authorisation_stops_after_two_token_calls_and_says_connect(tmp_path: Path) -> None:
    with connected(tmp_path) as (sandbox, settings, store, clinic):
        sandbox.control.revoke(next(iter(sandbox.clinics)))
        sandbox.control.reset_requests()
        with open_session(settings, store, clinic) as session, ThreadPoolExecutor(8) as pool:
            errors = list(pool.map(lambda _: _error(lambda: session.fetch_object("clinic")), range(16)))
        assert {type(error) for error in errors} == {NeedsConnect}
        assert "fullscript-pipeline connect us-snd" in str(errors[0])
        assert errors[0].exit_code == 77
        assert sum(token_calls(sandbox).values()) <= 2
        assert (store.clinics.all()[0].status, bool(store.clinics.all()[0].status_reason)) == ("needs_connect", True)
        # Another process hears it from the store, without a call.
        with (
            StateStore.open(settings) as other,
            open_session(settings, other, clinic) as session,
        ):
            assert isinstance(_error(lambda: session.fetch_object("clinic")), NeedsConnect)
        assert sum(token_calls(sandbox).values()) <= 2
        assert len(store.tokens.grants(clinic)) == 1  # nothing is erased


def _error(call: Callable[[], object]) -> Any:
    try:
        call()
    except Exception as error:
        return error
    return None


def test_the_kept_refresh_token_is_the_way_back(tmp_path: Path) -> None:
    """The saved pair is not accepted (the server lost it, say): the refresh token before it is tried, once."""
    replies = [Reply(400, {"error": "invalid_grant"}), _pair(9)]
    with _store(tmp_path) as store, odd_server(replies) as server, HttpClient() as client:
        store.tokens.save_grant(_CLINIC, _grant(previous_refresh_token="r-0"))
        assert _keeper(store, server, client).access_token() == "a-9"
        saved = store.tokens.load_grant(_CLINIC)
    assert saved is not None
    assert (saved.refresh_token, saved.previous_refresh_token) == ("r-9", "r-0")
    assert len(server.requests) == 2


def test_the_refresh_token_before_is_dropped_once_the_new_token_worked(tmp_path: Path) -> None:
    with _store(tmp_path) as store, odd_server([_pair(2)]) as server, HttpClient() as client:
        keeper = _keeper(store, server, client)
        assert keeper.access_token() == "a-2"
        kept = store.tokens.load_grant(_CLINIC)
        keeper.confirm_used("a-2")
        confirmed = store.tokens.load_grant(_CLINIC)
    assert kept is not None
    assert confirmed is not None
    assert (kept.previous_refresh_token, confirmed.previous_refresh_token) == ("r-1", None)


@pytest.mark.parametrize("reply", [Reply(400, {"error": "invalid_grant"}), _pair(9)])
def test_a_connect_that_was_faster_stays(tmp_path: Path, reply: Reply) -> None:
    """While we ask, a person connects anew: our refusal, and our new pair, do not touch theirs."""
    with _store(tmp_path) as store, HttpClient() as client:
        later = clock.real_now() + timedelta(hours=2)

        def answer(_seen: object) -> Reply:
            store.tokens.save_grant(_CLINIC, _grant(access_token="a-5", refresh_token="r-5", expires_at=later))
            return reply

        with odd_server(answer) as server:
            assert _keeper(store, server, client).access_token() == "a-5"
        assert store.clinics.all()[0].status == "ok"


def test_another_user_of_the_clinic_is_the_fallback(tmp_path: Path) -> None:
    later = clock.real_now() + timedelta(hours=2)
    refusal = Reply(400, {"error": "invalid_grant"})
    with _store(tmp_path) as store, odd_server([refusal]) as server, HttpClient() as client:
        store.tokens.save_grant(_CLINIC, _grant(scopes=("patients:read", "clinic:read")))
        store.tokens.save_grant(_CLINIC, _grant(user_id="u-2", access_token="a-2", expires_at=later))
        assert _keeper(store, server, client).access_token() == "a-2"
        assert store.clinics.all()[0].status == "ok"


@pytest.mark.parametrize("reply", [Reply(500), Reply(body=b"<html>"), Reply(drop=True)])
def test_a_failing_token_endpoint_is_called_twice_and_then_left_alone(tmp_path: Path, reply: Reply) -> None:
    with _store(tmp_path) as store, odd_server([reply]) as server, HttpClient() as client:
        keeper = _keeper(store, server, client)
        errors = [_error(keeper.access_token) for _ in range(10)]
        assert {error.exit_code for error in errors} == {69}
        assert len(server.requests) == 2
        assert store.clinics.all()[0].status == "ok"


def test_a_token_that_still_lasts_is_used_while_renewing_fails(tmp_path: Path) -> None:
    now = clock.real_now()
    with _store(tmp_path) as store, odd_server([Reply(500)]) as server, HttpClient() as client:
        ending = _grant(obtained_at=now - timedelta(minutes=119, seconds=30), expires_at=now + timedelta(seconds=30))
        store.tokens.save_grant(_CLINIC, ending)
        keeper = _keeper(store, server, client)
        assert {keeper.access_token() for _ in range(5)} == {"a-1"}
        assert len(server.requests) == 2
        with pytest.raises(ServerError):
            keeper.renew("a-1")


@pytest.mark.parametrize(
    ("life", "left", "due"), [(7200, 63, False), (7200, 59, True), (100, 13, False), (100, 9, True)]
)
def test_a_token_is_renewed_a_little_before_its_end(tmp_path: Path, life: int, left: int, due: bool) -> None:
    expires = clock.real_now() + timedelta(seconds=left)
    with _store(tmp_path) as store, odd_server([_pair(2)]) as server, HttpClient() as client:
        store.tokens.save_grant(_CLINIC, _grant(obtained_at=expires - timedelta(seconds=life), expires_at=expires))
        assert _keeper(store, server, client).access_token() == ("a-2" if due else "a-1")


def test_demo_time_does_not_age_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2031-01-01T00:00:00Z")
    with _store(tmp_path) as store, odd_server([_pair(2)]) as server, HttpClient() as client:
        keeper = _keeper(store, server, client)
        assert keeper.access_token() == keeper.access_token() == "a-2"
    assert len(server.requests) == 1


def test_renewals_without_a_refresh_token_go_on_for_ever(tmp_path: Path) -> None:
    with connected(tmp_path) as (sandbox, settings, store, clinic):
        first = store.tokens.load_grant(clinic)
        sandbox.control.set_response_variants("refresh_token_kept")
        sandbox.control.reset_requests()
        for _ in range(3):
            sandbox.control.expire_tokens()
            with open_session(settings, store, clinic) as session:
                assert session.fetch_object("clinic").record["id"] == clinic.clinic_id
        assert token_calls(sandbox) == {200: 3}
        last = store.tokens.load_grant(clinic)
    assert first is not None
    assert last is not None
    assert (last.refresh_token, last.previous_refresh_token) == (first.refresh_token, None)
    assert last.access_token != first.access_token
    assert last.scopes == first.scopes
