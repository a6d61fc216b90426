"""Sends a session's requests with a valid token, and finds out the cause of a repeated 401 or a 404.

    401, and another request with this token succeeds   a permission for this endpoint is missing (ScopeError)
    401, and no other request with it succeeds          the token is invalid (AuthError)
    404, and another request succeeds                   this object, or endpoint, does not exist (NotFound)
    404 to every request                                the address is not the API's (WrongAddress)

The result of the other request, the witness, holds for all threads of a session. What does not belong here: how a token
is renewed (`tokens`), the budget and the retries (`session`).
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from fullscript_pipeline.api.endpoints import endpoint_named
from fullscript_pipeline.api.errors import BadResponse, FullscriptError, NotFound, RateLimited, ServerError
from fullscript_pipeline.api.http import HttpRequest, HttpResponse
from fullscript_pipeline.api.status_errors import error_for, scope_error, wrong_address_error
from fullscript_pipeline.resources.types import Endpoint

# A cheap request per scope: a token that all of these refuse is invalid.
_WITNESSES = ("clinic", "categories", "brands", "patients", "orders", "treatment_plan_events")
# A token that was accepted within this time counts as valid.
_RECENT_SECONDS = 60.0
# Statuses for an endpoint that the server does not have.
_NOT_THERE = frozenset({404, 405, 410})

# Sends a request with a token.
Send = Callable[[HttpRequest, str], HttpResponse]


class TokenSource(Protocol):
    """The source of a session's access tokens; thread-safe."""

    def access_token(self) -> str:
        """Returns a token that has not expired. Raises NeedsConnect if there is none."""

    def renew(self, rejected: str) -> str:
        """Returns another token than `rejected`: one that another process has renewed, or a new one."""

    def confirm_used(self, token: str) -> None:
        """Records that the server has accepted `token`."""


class TokenAccess:
    """What a session knows about its token and its server; thread-safe."""

    def __init__(
        self, tokens: TokenSource, smallest: Callable[[Endpoint], HttpRequest], granted: Collection[str]
    ) -> None:
        """`smallest` makes the cheapest request to an endpoint; `granted` are the scopes of the token."""
        self._tokens, self._smallest, self._granted = tokens, smallest, granted
        self._lock = threading.Lock()
        # The token that worked last, and when.
        self._worked = ("", 0.0)
        self._last_answered: Endpoint | None = None
        self._dead_token = ""
        self._denied: set[str] = set()
        self._is_right_address = False

    def answer(self, request: HttpRequest, endpoint: Endpoint, send: Send, permit: Callable[[], None]) -> HttpResponse:
        """Returns the 2xx response to a request. `permit` is called before every request that is sent.

        Raises the error for another status, or what a renewal raises.
        """

        def send_next(request: HttpRequest, token: str) -> HttpResponse:
            permit()
            return send(request, token)

        permit()  # before the token: it might expire during the wait
        token = self._tokens.access_token()
        answer = send(request, token)
        if answer.status == 401 and not self._is_known_refusal(endpoint, token):
            token = self._tokens.renew(token)
            sent_at = time.monotonic()
            answer = send_next(request, token)
            if answer.status == 401 and self._works(endpoint, token, sent_at, send_next):
                answer = send_next(request, token)  # a new token may take a moment to be accepted everywhere
                if answer.status == 401:
                    self._denied.add(endpoint.name)
        if answer.status not in (401, 429) and answer.status < 500:
            self._tokens.confirm_used(token)
        if _is_answered(answer):
            self._record_success(endpoint, token)
        if answer.status == 401 and token != self._dead_token:
            raise scope_error(answer, endpoint, self._granted)
        error = error_for(answer, endpoint, self._granted)
        if isinstance(error, NotFound) and not self._is_api(endpoint, token, send_next):
            raise wrong_address_error(answer.request_summary())
        if error is not None:
            raise error
        return answer

    def _record_success(self, endpoint: Endpoint, token: str) -> None:
        self._worked, self._is_right_address = (token, time.monotonic()), True
        if token == self._dead_token:
            self._dead_token = ""
        if "{" not in endpoint.path:
            self._last_answered = endpoint

    def _worked_since(self, token: str, moment: float) -> bool:
        last, at = self._worked
        return last == token and at >= moment

    def _is_known_refusal(self, endpoint: Endpoint, token: str) -> bool:
        """Whether the cause of a 401 of this endpoint is known already, so that no renewal and no witness is needed."""
        recently = time.monotonic() - _RECENT_SECONDS
        return token == self._dead_token or (endpoint.name in self._denied and self._worked_since(token, recently))

    def _works(self, refused: Endpoint, token: str, sent_at: float, send: Send) -> bool:
        """Whether other endpoints accept a token that this one refused. Raises if that cannot be determined now."""
        with self._lock:
            works = self._worked_since(token, sent_at) or (
                token != self._dead_token and any(map(_is_answered, self._witnesses(refused, token, send)))
            )
            if not works:
                self._dead_token = token
            return works

    def _is_api(self, refused: Endpoint, token: str, send: Send) -> bool:
        """Whether the API is at this address. Raises if that cannot be determined now."""
        with self._lock:
            self._is_right_address = self._is_right_address or any(
                answer.status not in _NOT_THERE and (answer.status >= 400 or _is_answered(answer))
                for answer in self._witnesses(refused, token, send)
            )
            return self._is_right_address

    def _witnesses(self, refused: Endpoint, token: str, send: Send) -> Iterator[HttpResponse]:
        """Yields the responses of other endpoints to `token`, starting with the last one that succeeded.

        Raises at the end the error of an endpoint that failed: the other responses prove nothing then.
        """
        failure: FullscriptError | None = None
        last = [self._last_answered.name] if self._last_answered else []
        for name in dict.fromkeys((*last, *_WITNESSES)):
            if name == refused.name:
                continue
            endpoint = endpoint_named(name)
            try:
                answer = send(self._smallest(endpoint), token)
            except BadResponse as problem:
                is_redirect = problem.status is not None and 300 <= problem.status < 400
                failure = failure if is_redirect else problem
                continue
            except ServerError as problem:
                failure = problem
                continue
            error = error_for(answer, endpoint, self._granted)
            if isinstance(error, ServerError | RateLimited):
                failure = error
                continue
            if _is_answered(answer):
                self._record_success(endpoint, token)
            yield answer
        if failure is not None:
            raise failure


def _is_answered(answer: HttpResponse) -> bool:
    """Whether it is a 2xx with JSON; a web page is not from the API."""
    return 200 <= answer.status < 300 and answer.body.lstrip()[:1] in (b"{", b"[")
