"""Which error a status means, with the sentence that tells the reader what to do.

What does not belong here: whether a 401 or 404 is lasting (`token_access` finds out), and what is asked again
(`retry`).
"""

from collections.abc import Collection

from fullscript_pipeline.api.errors import (
    Asked,
    AuthError,
    FullscriptError,
    NotFound,
    RateLimited,
    RequestRefused,
    ScopeError,
    ServerError,
    WrongAddress,
)
from fullscript_pipeline.api.http import Answer
from fullscript_pipeline.api.retry import retry_after_seconds
from fullscript_pipeline.resources.types import Endpoint
from fullscript_pipeline.settings import api_url_advice


def error_for(
    answer: Answer, endpoint: Endpoint | None = None, granted: Collection[str] = ()
) -> FullscriptError | None:
    """The error that `answer` means, None for a 2xx. `endpoint` (of a session's GET) and the scopes that its grant has
    make a 403 more precise."""
    if 200 <= answer.status < 300:
        return None
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return _temporary(answer)
    asked = answer.asked()
    if answer.status == 401:
        return AuthError(
            asked,
            "the access token is refused everywhere although it is fresh",
            f"Run `fullscript-pipeline connect {asked.server}` for this clinic; the user may have withdrawn access, or "
            "the app was given new scopes since.",
        )
    if answer.status == 403:
        return ScopeError(asked, "this app may not read it", _scope_advice(asked.server, endpoint, granted))
    if answer.status == 404:
        return NotFound(asked, "it is not there for this clinic", "It was removed, or is not for this clinic.")
    return RequestRefused(asked, "the server does not accept the request", "Quote the X-Request-Id to the vendor.")


def denied(answer: Answer, endpoint: Endpoint, granted: Collection[str]) -> ScopeError:
    """The error of a 401 to a token that other endpoints accept; the vendor answers so where a scope is missing."""
    asked = answer.asked()
    what = "this token may not read it, although it works elsewhere"
    return ScopeError(asked, what, _scope_advice(asked.server, endpoint, granted))


def wrong_address(asked: Asked) -> WrongAddress:
    """The error of a 404 where no other endpoint is there either, or where the API must have one."""
    return WrongAddress(asked, "the API is not at this address", api_url_advice(asked.server))


def _temporary(answer: Answer) -> RateLimited | ServerError:
    error: RateLimited | ServerError
    if answer.status == 429:
        advice = "Wait five minutes; lower FULLSCRIPT_REQUESTS_PER_5_MIN if it stays."
        error = RateLimited(answer.asked(), "the server limits our requests", advice)
    else:
        advice = "Try again later; if it stays, tell the vendor and quote the X-Request-Id."
        error = ServerError(answer.asked(), "the server failed", advice)
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
