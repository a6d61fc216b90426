"""Maps a response status to an error, with a message that says what to do.

What does not belong here: whether a 401 or 404 is permanent (`token_access` finds out), what is retried (`retry`).
"""

from collections.abc import Collection

from fullscript_pipeline.api.errors import (
    AuthError,
    FullscriptError,
    NotFound,
    RateLimited,
    RequestRefused,
    RequestSummary,
    ScopeError,
    ServerError,
    WrongAddress,
)
from fullscript_pipeline.api.http import HttpResponse
from fullscript_pipeline.api.retry import retry_after_seconds
from fullscript_pipeline.resources.types import Endpoint
from fullscript_pipeline.settings import api_url_advice


def error_for(
    answer: HttpResponse, endpoint: Endpoint | None = None, granted: Collection[str] = ()
) -> FullscriptError | None:
    """The error for a response, None for a 2xx.

    `endpoint` (of a session's GET) and the granted scopes make the message of a 403 more precise.
    """
    if 200 <= answer.status < 300:
        return None
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return _temporary_error(answer)
    request = answer.request_summary()
    if answer.status == 401:
        return AuthError(
            request,
            "the access token is refused everywhere although it is fresh",
            f"Run `fullscript-pipeline connect {request.server}` for this clinic; the user may have withdrawn access, "
            "or the app was given new scopes since.",
        )
    if answer.status == 403:
        return ScopeError(request, "this app may not read it", _scope_advice(request.server, endpoint, granted))
    if answer.status == 404:
        return NotFound(request, "it is not there for this clinic", "It was removed, or is not for this clinic.")
    return RequestRefused(request, "the server does not accept the request", "Quote the X-Request-Id to the vendor.")


def scope_error(answer: HttpResponse, endpoint: Endpoint, granted: Collection[str]) -> ScopeError:
    """The error for a 401 to a token that other endpoints accept: the vendor's response to a missing scope."""
    request = answer.request_summary()
    what = "this token may not read it, although it works elsewhere"
    return ScopeError(request, what, _scope_advice(request.server, endpoint, granted))


def wrong_address_error(request: RequestSummary) -> WrongAddress:
    """The error for a 404 if no other endpoint exists either, or if the API must have this endpoint."""
    return WrongAddress(request, "the API is not at this address", api_url_advice(request.server))


def _temporary_error(answer: HttpResponse) -> RateLimited | ServerError:
    error: RateLimited | ServerError
    if answer.status == 429:
        advice = "Wait five minutes; lower FULLSCRIPT_REQUESTS_PER_5_MIN if it stays."
        error = RateLimited(answer.request_summary(), "the server limits our requests", advice)
    else:
        advice = "Try again later; if it stays, tell the vendor and quote the X-Request-Id."
        error = ServerError(answer.request_summary(), "the server failed", advice)
    error.retry_after = retry_after_seconds(answer.retry_after)
    return error


def _scope_advice(server: str, endpoint: Endpoint | None, granted: Collection[str]) -> str:
    if endpoint is not None and endpoint.restricted:
        return "The vendor grants this endpoint to few apps; ask them for it, or do without."
    if endpoint is not None and endpoint.scope and set(endpoint.scope.lower().split()) <= set(granted):
        return (
            f"The token has the scope {endpoint.scope}: this clinic, app or user is kept from it for another reason. "
            "Ask the vendor, quoting the X-Request-Id, or do without."
        )
    scope = f"the scope {endpoint.scope}" if endpoint is not None and endpoint.scope else "its scope"
    return (
        f"Give the app {scope} in the vendor's dashboard, then run `fullscript-pipeline connect {server}` again: "
        "tokens keep the scopes they were made with."
    )
