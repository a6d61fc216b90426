"""The errors of requests to Fullscript.

    PipelineError                      (fullscript_pipeline.errors)
    +-- FullscriptError                carries status, request_id, clinic, method, url (redacted), endpoint
    |   +-- AuthError          77      every endpoint refuses a fresh token (also a NeedsConnect)
    |   |   +-- InvalidGrant   77      the authorisation itself is refused (token endpoint only)
    |   +-- AppRefused         78      the client id or secret is refused (also a ConfigurationError)
    |   +-- WrongAddress       78      404 of everything: this is not the API (also a ConfigurationError)
    |   +-- ScopeError          1      403, or 401 to a token that works elsewhere: this app or this user may not
    |   +-- NotFound            1      404, where other endpoints answer
    |   +-- RateLimited        69      still rate limited after all retries (also ServiceUnavailable)
    |   +-- ServerError        69      5xx, or no answer at all (also ServiceUnavailable)
    |   +-- BadResponse        69      a response of unknown shape (also ServiceUnavailable)
    |   +-- RequestRefused      1      any other 4xx: the request is not accepted
    +-- ConnectRefused          1      a connect attempt that must not go on
    +-- NeedsConnect           77      (fullscript_pipeline.errors) a clinic has no working grant

A body may hold health data or a token, so a message contains the status, our own words and the X-Request-Id, never text
of the server. What does not belong here: what is retried (`retry`), anything from a response body.
"""

from dataclasses import dataclass

from fullscript_pipeline.errors import ConfigurationError, NeedsConnect, PipelineError, ServiceUnavailable


@dataclass(frozen=True, kw_only=True)
class RequestSummary:
    """A request, as an error message may describe it. `url` is redacted already; `clinic` is the clinic key."""

    endpoint: str
    server: str
    method: str
    url: str
    clinic: str | None = None
    status: int | None = None
    request_id: str | None = None


class FullscriptError(PipelineError):
    """What failed, where, the X-Request-Id to quote to the vendor, and what to do.

    `exhausted`: it was retried as often as its rule allows. A nested request (a token call within a GET) must not be
    multiplied by the retries of the outer one.
    """

    exhausted = False

    def __init__(self, request: RequestSummary, what: str, advice: str) -> None:
        self.request_summary = request
        self.endpoint, self.clinic, self.status = request.endpoint, request.clinic, request.status
        self.request_id, self.method, self.url = request.request_id, request.method, request.url
        whom = f"clinic {request.clinic}, {request.server}" if request.clinic else request.server
        answer = f"status {request.status}, " if request.status else ""
        super().__init__(
            f"{request.endpoint} ({whom}): {what} ({request.method} {request.url}, {answer}"
            f"X-Request-Id {request.request_id or 'not given'}). {advice}"
        )

    def __reduce__(self) -> str | tuple[object, ...]:
        # Dagster and process pools pickle errors; the default would call __init__ with the message alone.
        return (_rebuild, (type(self), self.request_summary, str(self), dict(self.__dict__)))


def _rebuild(
    kind: type[FullscriptError], request: RequestSummary, message: str, fields: dict[str, object]
) -> FullscriptError:
    error = kind(request, "", "")
    error.args = (message,)
    error.__dict__.update(fields)
    return error


class AuthError(FullscriptError, NeedsConnect):
    """Every endpoint answers 401 to a token that has just been renewed: a person must `connect` this clinic."""

    exit_code = 77


class InvalidGrant(AuthError):
    """The token endpoint says that the authorisation (code or refresh token) is not valid."""


class AppRefused(FullscriptError, ConfigurationError):
    """The token endpoint does not accept our client id and secret."""

    exit_code = 78


class WrongAddress(FullscriptError, ConfigurationError):
    """None of the API's endpoints exists at the configured address."""

    exit_code = 78


class ScopeError(FullscriptError):
    """403, or 401 to a token that other endpoints accept: the app or the token has no permission for this endpoint.

    Often not a failure for the caller.
    """


class NotFound(FullscriptError):
    """404: no such object for this clinic, or an endpoint that this server does not have."""


class RequestRefused(FullscriptError):
    """Any other 4xx: a retry would not help."""


class RateLimited(FullscriptError, ServiceUnavailable):
    """Still rate limited after all retries. `retry_after`: the seconds that the server requested."""

    exit_code = 69
    retry_after: float | None = None


class ServerError(FullscriptError, ServiceUnavailable):
    """5xx, 408, 425, or a connection that failed."""

    exit_code = 69
    retry_after: float | None = None


class BadResponse(FullscriptError, ServiceUnavailable):
    """A response of unknown shape. Never treat it as an empty result."""

    exit_code = 69


class ConnectRefused(PipelineError):
    """A connect attempt that was denied, has expired, or is not ours."""
