"""Sends a session's requests with a token that works, and finds out what a lasting 401 or a 404 means.

    401, and another call with this token is answered   this endpoint is denied: a permission is missing (ScopeError)
    401, and no other call with it is answered          the token works nowhere (AuthError)
    404, and the server has answered another call       this object, or endpoint, is not there (NotFound)
    404 to every call                                   the address is not the API's (WrongAddress)

The other call, the witness, counts for all threads of a session. What does not belong here: how a token is renewed
(`tokens`), the budget and the retries (`session`).
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

# A cheap call of every scope: a token that none of these lets through is of no use.
_WITNESSES = ("clinic", "categories", "brands", "patients", "orders", "treatment_plan_events")
# For so long a token that worked is taken for one that works.
_RECENT_SECONDS = 60.0
# With which statuses a server says that it has no such endpoint at all.
_NOT_THERE = frozenset({404, 405, 410})

# Sends a request with a token.
Send = Callable[[HttpRequest, str], HttpResponse]


class TokenSource(Protocol):
    """Where a session's access token comes from; thread-safe."""

    def access_token(self) -> str:
        """A token that has not expired. Raises NeedsConnect when there is none to be had."""

    def renew(self, rejected: str) -> str:
        """Another token than `rejected`, which the server refused: a sibling's, or a new one."""

    def confirm_used(self, token: str) -> None:
        """The server has accepted `token`."""


class TokenAccess:
    """What one session knows of its token and of its server; thread-safe."""

    def __init__(
        self, tokens: TokenSource, smallest: Callable[[Endpoint], HttpRequest], granted: Collection[str]
    ) -> None:
        """`smallest` makes the cheapest request of an endpoint; `granted` are the scopes of the token."""
        self._tokens, self._smallest, self._granted = tokens, smallest, granted
        self._lock = threading.Lock()
        # The token that worked last, and when.
        self._worked = ("", 0.0)
        self._last_answered: Endpoint | None = None
        self._dead_token = ""
        self._denied: set[str] = set()
        self._is_right_address = False

    def answer(self, request: HttpRequest, endpoint: Endpoint, send: Send, permit: Callable[[], None]) -> HttpResponse:
        """The server's 2xx to `ask`; every request needs a permit.

        Raises the error that another status means, or what a renewal raises.
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
                answer = send_next(request, token)  # a new token may take a moment to be known everywhere
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
        """What a 401 of this endpoint means is known: it needs neither a renewal nor a witness."""
        recently = time.monotonic() - _RECENT_SECONDS
        return token == self._dead_token or (endpoint.name in self._denied and self._worked_since(token, recently))

    def _works(self, refused: Endpoint, token: str, sent_at: float, send: Send) -> bool:
        """Whether a token that this endpoint has refused works elsewhere. Raises when nobody can tell now."""
        with self._lock:
            works = self._worked_since(token, sent_at) or (
                token != self._dead_token and any(map(_is_answered, self._witnesses(refused, token, send)))
            )
            if not works:
                self._dead_token = token
            return works

    def _is_api(self, refused: Endpoint, token: str, send: Send) -> bool:
        """Whether the API is at this address. Raises when nobody can tell now."""
        with self._lock:
            self._is_right_address = self._is_right_address or any(
                answer.status not in _NOT_THERE and (answer.status >= 400 or _is_answered(answer))
                for answer in self._witnesses(refused, token, send)
            )
            return self._is_right_address

    def _witnesses(self, refused: Endpoint, token: str, send: Send) -> Iterator[HttpResponse]:
        """What other endpoints say to `token`, the last that answered first. After them, the error of one that failed:
        then the others' answers are no proof."""
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
    """A 2xx with JSON in it; a web page comes of something else than the API."""
    return 200 <= answer.status < 300 and answer.body.lstrip()[:1] in (b"{", b"[")
