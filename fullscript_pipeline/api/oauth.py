"""The three OAuth calls, as the vendor documents them (JSON bodies, answers under "oauth"), and the authorize URL.

These are the only POSTs of the project. A token response is secret as a whole: no part of it goes into an error or a
log. What does not belong here: when to renew (`tokens`), where tokens are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fullscript_pipeline import clock
from fullscript_pipeline.api.errors import AppRefused, BadResponse, FullscriptError, InvalidGrant, RateLimited
from fullscript_pipeline.api.http import HttpClient, HttpRequest, HttpResponse
from fullscript_pipeline.api.rate_limit import Budget
from fullscript_pipeline.api.retry import TOKEN_POLICY, RetryPolicy
from fullscript_pipeline.api.status_errors import error_for, wrong_address_error
from fullscript_pipeline.settings import ServerSettings

_DEFAULT_LIFE_SECONDS = 7200
_LONGEST_LIFE_SECONDS = 366 * 24 * 3600
# Error codes (RFC 6749, RFC 6750) for a token that the server does not know.
_UNKNOWN_TOKEN = frozenset({"invalid_token", "invalid_grant"})
# Statuses for an endpoint that the server does not have.
_NOT_THERE = frozenset({404, 405, 410})


@dataclass(frozen=True, kw_only=True)
class GrantedTokens:
    """A new token pair. Times are by our clock (UTC): a wrong server clock must not make a token look expired."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    user_id: str | None = None
    user_type: str | None = None
    clinic_id: str | None = None


def authorize_url(server: ServerSettings, redirect_uri: str, state: str) -> str:
    """The URL for the user's browser. Scopes are set in the vendor's dashboard, not here."""
    query = {
        "client_id": server.client_id or "",
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "state": state,
    }
    joiner = "&" if "?" in server.authorize_url else "?"
    return f"{server.authorize_url}{joiner}{urlencode(query)}"


class TokenEndpoint:
    """The token calls of one app. The budget counts them too: the vendor's limit covers all endpoints."""

    def __init__(
        self,
        server: ServerSettings,
        redirect_uri: str,
        client: HttpClient,
        budget: Budget,
        retry: RetryPolicy = TOKEN_POLICY,
    ) -> None:
        self._server, self._redirect_uri, self._client = server, redirect_uri, client
        self._budget, self._retry = budget, retry

    def exchange_code(self, code: str) -> GrantedTokens:
        """Exchanges an authorization code for the first token pair. Never retried: a code works once.

        Raises InvalidGrant if the server rejects the code, AppRefused for a wrong client, or another error of `errors`.
        """
        once = RetryPolicy(attempts=1, unreadable_attempts=1)
        return self._token({"grant_type": "authorization_code", "code": code}, None, once, fallback_refresh_token=None)

    def refresh(self, refresh_token: str, clinic: str) -> GrantedTokens:
        """Requests a new pair for `refresh_token`, which stays valid if the response has no new one (RFC 6749, 6).

        A lost response is requested once more with the same token.
        """
        grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._token(grant, clinic, self._retry, fallback_refresh_token=refresh_token)

    def revoke(self, token: str, clinic: str) -> None:
        """Revokes a token at the server. A token that the server does not know counts as revoked.

        Raises AppRefused, WrongAddress or another error of `errors` if the server does not confirm it.
        """
        body = {**self._credentials(), "token": token}

        def attempt() -> None:
            answer = self._send("oauth/revoke", body, clinic)
            if answer.status < 500 and _error_words(answer) & _UNKNOWN_TOKEN:
                return
            if error := _refusal(answer, self._server):
                raise error
            if not _confirms(answer):
                raise BadResponse(answer.request_summary(), "the answer does not confirm it", "Try again later.")

        self._retry.run(attempt, self._before_retry)

    def _token(
        self, grant: Mapping[str, str], clinic: str | None, retry: RetryPolicy, fallback_refresh_token: str | None
    ) -> GrantedTokens:
        body = {**grant, **self._credentials(), "redirect_uri": self._redirect_uri}

        def attempt() -> GrantedTokens:
            requested_at = clock.real_now()
            answer = self._send("oauth/token", body, clinic)
            if error := _refusal(answer, self._server):
                raise error
            return read_token(answer.json(), answer, requested_at, fallback_refresh_token)

        return retry.run(attempt, self._before_retry)

    def _send(self, path: str, body: Mapping[str, str], clinic: str | None) -> HttpResponse:
        self._budget.acquire("present")
        request = HttpRequest(
            endpoint=path, server=self._server.name, url=f"{self._server.api_url}/{path}", clinic=clinic, json=body
        )
        return self._client.send(request)

    def _before_retry(self, error: FullscriptError, wait: float) -> None:
        """Pauses all requests when the token endpoint is rate limited: the limit covers all endpoints."""
        if isinstance(error, RateLimited):
            self._budget.pause_requests(wait)

    def _credentials(self) -> dict[str, str]:
        return {"client_id": self._server.client_id or "", "client_secret": self._server.client_secret or ""}


def read_token(
    body: Any, answer: HttpResponse, requested_at: datetime, fallback_refresh_token: str | None = None
) -> GrantedTokens:
    """The pair in `{"oauth": {...}}`, in another object or in the body itself; `kept` is the refresh token of an answer
    that brings none. Raises BadResponse when there is no pair."""
    token = _token_object(body)
    access, refresh = token.get("access_token"), token.get("refresh_token")
    refresh = refresh if isinstance(refresh, str) and refresh else fallback_refresh_token
    if not (isinstance(access, str) and access and refresh):
        raise BadResponse(
            answer.request_summary(),
            "the token answer holds no pair of tokens",
            "Try again; tell the vendor if it stays.",
        )
    owner = token.get("resource_owner")
    owner = owner if isinstance(owner, dict) else {}
    scope = token.get("scope")
    words = scope.replace(",", " ").split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
    return GrantedTokens(
        access_token=access,
        refresh_token=refresh,
        obtained_at=requested_at,
        expires_at=requested_at + timedelta(seconds=_life_seconds(token.get("expires_in"))),
        # The vendor's guides also print Clinic:read.
        scopes=tuple(dict.fromkeys(str(word).lower() for word in words)),
        user_id=_text(owner.get("id")),
        user_type=_text(owner.get("type")),
        clinic_id=_text(owner.get("clinic_id")),
    )


def _token_object(body: Any) -> Mapping[str, Any]:
    """The object with the access token: the documented `oauth` first, then any other."""
    outer = body if isinstance(body, dict) else {}
    candidates = [outer.get("oauth"), outer, *outer.values()]
    return next(
        (candidate for candidate in candidates if isinstance(candidate, dict) and candidate.get("access_token")), {}
    )


def _life_seconds(expires_in: object) -> float:
    """Parses `expires_in`, a number or text; the documented two hours if it is not plausible."""
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else 0.0
    except ValueError:
        seconds = 0.0
    return seconds if 0 < seconds <= _LONGEST_LIFE_SECONDS else float(_DEFAULT_LIFE_SECONDS)


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _refusal(answer: HttpResponse, server: ServerSettings) -> FullscriptError | None:
    """The error of a token call without a 2xx response; the OAuth error code decides before the status."""
    words = _error_words(answer) if answer.status in (400, 401, 403, 422) else set()
    if "invalid_grant" in words:
        return InvalidGrant(
            answer.request_summary(),
            "the server does not accept the authorisation any more",
            f"Run `fullscript-pipeline connect {server.name}` again.",
        )
    if words & {"invalid_client", "unauthorized_client"} or answer.status == 401:
        return AppRefused(
            answer.request_summary(),
            f"the server does not accept our app{'' if words else ' (it gives no reason)'}",
            f"Check {server.variable('CLIENT_ID')}, {server.variable('CLIENT_SECRET')} and FULLSCRIPT_REDIRECT_URI "
            f"against the vendor's API dashboard, and that {server.variable('API_URL')} is that server's.",
        )
    if answer.status in _NOT_THERE:
        return wrong_address_error(answer.request_summary())
    return error_for(answer)


def _confirms(answer: HttpResponse) -> bool:
    """Whether a 2xx response confirms the call: it is empty, as documented, or neither an error nor a web page."""
    text = answer.body.strip()
    if text[:1] == b"<":
        return False
    try:
        body = answer.json() if text else None
    except BadResponse:
        return True
    return not (isinstance(body, dict) and (body.get("error") or body.get("errors")))


def _error_words(answer: HttpResponse) -> set[str]:
    """The error codes of a body: `error` as text, array or object with a code, or `errors` as an array."""
    try:
        body = answer.json()
    except BadResponse:
        return set()
    inner = body.get("oauth", body) if isinstance(body, dict) else None
    error_body = inner if isinstance(inner, dict) else {}
    codes: list[Any] = []
    for key in ("error", "errors", "code"):
        code = error_body.get(key)
        codes += code if isinstance(code, list) else [code]
    texts = [code.get("code") or code.get("error") if isinstance(code, dict) else code for code in codes]
    return {text for text in texts if isinstance(text, str) and text}
