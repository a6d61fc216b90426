"""The token calls: any shape of answer the vendor or a proxy may give, and no byte of it in an error."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import BadResponse, FullscriptError, ServerError
from fullscript_pipeline.api.errors import AppRefused, InvalidGrant
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.oauth import GrantedTokens, TokenEndpoint, authorize_url
from fullscript_pipeline.settings import ServerSettings
from fullscript_pipeline_tests.helpers.api_sessions import FreeBudget, Sleeps
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, odd_server

_PAIR = {"access_token": "canary-a", "refresh_token": "canary-r", "token_type": "Bearer"}


def _server(url: str) -> ServerSettings:
    return ServerSettings(
        name="us-snd",
        region="us",
        is_production=False,
        client_id="the id",
        client_secret="canary-secret",
        api_url=url,
        authorize_url=f"{url}/authorize",
    )


def _refresh(server: OddServer) -> GrantedTokens:
    with HttpClient() as client:
        policy = Sleeps().token_policy()
        endpoint = TokenEndpoint(_server(server.url), "http://127.0.0.1:1/cb", client, FreeBudget(), policy)
        return endpoint.refresh("canary-old", "maple")


@pytest.mark.parametrize("wrapper", ["oauth", "token", None])
@pytest.mark.parametrize("expires_in", [7200, "7200", 7200.0, None, "soon", -1, True])
def test_token_answers_are_read_tolerantly(wrapper: str | None, expires_in: Any) -> None:
    inner = {**_PAIR, "expires_in": expires_in, "scope": "Catalog:read patients:read"}
    inner["resource_owner"] = {"id": "u-1", "type": "Staff"}
    before = clock.real_now()
    with odd_server([Reply(body={wrapper: inner} if wrapper else inner)]) as server:
        answer = _refresh(server)
    life = 1 if expires_in is True else 7200
    assert answer.expires_at - answer.obtained_at == timedelta(seconds=life)
    assert before <= answer.obtained_at <= clock.real_now()
    assert (answer.user_id, answer.user_type, answer.clinic_id) == ("u-1", "Staff", None)
    assert answer.scopes == ("catalog:read", "patients:read")
    assert "canary" not in repr(answer)


def test_what_may_be_missing_may_be_missing() -> None:
    with odd_server([Reply(body={"oauth": _PAIR})]) as server:
        answer = _refresh(server)
    assert (answer.user_id, answer.scopes) == (None, ())


@pytest.mark.parametrize("refresh_token", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_a_renewal_that_brings_no_refresh_token_keeps_the_one_that_was_sent(refresh_token: dict[str, Any]) -> None:
    inner = {"access_token": "canary-a", "token_type": "bearer", "expires_in": 7200, **refresh_token}
    with odd_server([Reply(body={"oauth": inner})]) as server:
        answer = _refresh(server)
    assert (answer.access_token, answer.refresh_token) == ("canary-a", "canary-old")


def test_a_code_is_exchanged_for_a_pair_or_not_at_all() -> None:
    reply = Reply(body={"oauth": {"access_token": "canary-a", "expires_in": 7200}})
    with odd_server([reply]) as server, HttpClient() as client:
        endpoint = TokenEndpoint(_server(server.url), "http://127.0.0.1:1/cb", client, FreeBudget())
        with pytest.raises(BadResponse, match="no pair of tokens") as caught:
            endpoint.exchange_code("code")
    assert len(server.requests) == 1
    assert "canary" not in str(caught.value)


def test_the_body_is_as_documented() -> None:
    with odd_server([Reply(body={"oauth": _PAIR})]) as server:
        _refresh(server)
    seen = server.requests[0]
    assert (seen.method, seen.path, seen.headers["content-type"]) == ("POST", "/oauth/token", "application/json")
    assert "authorization" not in seen.headers
    assert orjson.loads(seen.body) == {
        "grant_type": "refresh_token",
        "client_id": "the id",
        "client_secret": "canary-secret",
        "refresh_token": "canary-old",
        "redirect_uri": "http://127.0.0.1:1/cb",
    }


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_grant", "error_description": "canary"},
        {"error": ["invalid_grant"]},
        {"error": {"code": "invalid_grant", "message": "canary"}},
        {"errors": [{"code": "invalid_grant", "message": "canary"}]},
        {"oauth": {"error": "invalid_grant"}},
    ],
)
def test_a_dead_grant_is_distinguished_from_everything_else(status: int, body: dict[str, Any]) -> None:
    with odd_server([Reply(status, body)]) as server, pytest.raises(InvalidGrant) as caught:
        _refresh(server)
    assert len(server.requests) == 1
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "kind", "calls"),
    [
        (Reply(401, {"error": "invalid_client"}), AppRefused, 1),
        (Reply(401, b"no"), AppRefused, 1),
        (Reply(500, {"error": "invalid_grant"}), ServerError, 2),
        (Reply(503, b"<html>"), ServerError, 2),
        (Reply(200, b"<html>invalid_grant"), BadResponse, 2),
        (Reply(200, {}), BadResponse, 2),
        (Reply(200, {"oauth": {"refresh_token": "canary"}}), BadResponse, 2),
        (Reply(200, {"oauth": {"access_token": 7, "refresh_token": "canary"}}), BadResponse, 2),
        (Reply(drop=True), ServerError, 2),
    ],
)
def test_trouble_at_the_token_endpoint_is_not_a_dead_grant(
    reply: Reply, kind: type[FullscriptError], calls: int
) -> None:
    with odd_server([reply]) as server, pytest.raises(FullscriptError) as caught:
        _refresh(server)
    assert type(caught.value) is kind
    assert len(server.requests) == calls
    assert "canary" not in str(caught.value)
    if kind is AppRefused:
        assert caught.value.exit_code == 78
        assert "FULLSCRIPT_US_SND_CLIENT_SECRET" in str(caught.value)


def test_a_lost_response_is_requested_again_with_the_same_token() -> None:
    with odd_server([Reply(drop=True), Reply(body={"oauth": _PAIR})]) as server:
        assert _refresh(server).access_token == "canary-a"
    assert [orjson.loads(seen.body)["refresh_token"] for seen in server.requests] == ["canary-old"] * 2


def test_the_authorize_url_is_one_line_and_asks_for_a_code() -> None:
    url = authorize_url(_server("http://127.0.0.1:1"), "http://127.0.0.1:1/cb", "st ate")
    assert url == (
        "http://127.0.0.1:1/authorize?client_id=the+id&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb"
        "&response_type=code&state=st+ate"
    )


def test_a_429_of_the_token_endpoint_holds_everybody() -> None:
    """The vendor's limit is over all endpoints."""
    budget, sleeps = FreeBudget(), Sleeps()
    replies = [Reply(429, headers={"Retry-After": "7"}), Reply(body={"oauth": _PAIR})]
    with odd_server(replies) as server, HttpClient() as client:
        policy = sleeps.token_policy()
        endpoint = TokenEndpoint(_server(server.url), "http://127.0.0.1:1/cb", client, budget, policy)
        assert endpoint.refresh("canary-old", "maple").access_token == "canary-a"
    assert budget.held == sleeps.waits
    assert 7 <= budget.held[0] <= 8
