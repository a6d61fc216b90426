"""The family of everything that can go wrong between us and Fullscript.

    PipelineError                      (fullscript_pipeline.errors)
    +-- FullscriptError                carries status, request_id, clinic, method, url (redacted), endpoint
    |   +-- AuthError          77      the token is refused everywhere although it is fresh (also a NeedsConnect)
    |   |   +-- InvalidGrant   77      the authorisation itself is refused (token endpoint only)
    |   +-- AppRefused         78      the client id or secret is refused (also a ConfigurationError)
    |   +-- WrongAddress       78      404 of everything: this is not the API (also a ConfigurationError)
    |   +-- ScopeError          1      403, or 401 to a token that works elsewhere: this app or this user may not
    |   +-- NotFound            1      404, where other endpoints answer
    |   +-- RateLimited        69      429, after waiting as long as we may (also ServiceUnavailable)
    |   +-- ServerError        69      5xx, or no answer at all (also ServiceUnavailable)
    |   +-- BadResponse        69      an answer whose shape is not understood (also ServiceUnavailable)
    |   +-- RequestRefused      1      any other 4xx: what we asked is not accepted
    +-- ConnectRefused          1      a connect attempt that must not go on
    +-- NeedsConnect           77      (fullscript_pipeline.errors) a clinic has no working grant

What does not belong here: what is retried (`retry`), anything of an answer's body. A body may hold health data or a
token, so a message is made of the status, our own words and the X-Request-Id, never of what the server wrote.
"""

from dataclasses import dataclass

from fullscript_pipeline.errors import ConfigurationError, NeedsConnect, PipelineError, ServiceUnavailable


@dataclass(frozen=True)
class RequestSummary:
    """What was asked, for the sentence of an error. `url` is redacted already; `clinic` is the clinic key."""

    endpoint: str
    server: str
    method: str
    url: str
    clinic: str | None = None
    status: int | None = None
    request_id: str | None = None


class FullscriptError(PipelineError):
    """What failed, where, the X-Request-Id to quote to the vendor, and what to do.

    `exhausted`: it has been asked again as often as its rule allows. A call inside another one (a token call inside a
    GET) must not be multiplied by the outer one's retries.
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
        # The default would call __init__ with the message alone; Dagster and process pools pickle errors.
        return (_rebuild, (type(self), self.request_summary, str(self), dict(self.__dict__)))


def _rebuild(
    kind: type[FullscriptError], request: RequestSummary, message: str, fields: dict[str, object]
) -> FullscriptError:
    error = kind(request, "", "")
    error.args = (message,)
    error.__dict__.update(fields)
    return error


class AuthError(FullscriptError, NeedsConnect):
    """401 of every endpoint to a token that has just been renewed: for this clinic a person must `connect`."""

    exit_code = 77


class InvalidGrant(AuthError):
    """The token endpoint says that the authorisation (code or refresh token) is not valid."""


class AppRefused(FullscriptError, ConfigurationError):
    """The token endpoint does not accept our client id and secret."""

    exit_code = 78


class WrongAddress(FullscriptError, ConfigurationError):
    """Nothing that the API has is at the address that is set."""

    exit_code = 78


class ScopeError(FullscriptError):
    """403, or 401 to a token that works elsewhere: the app was not granted this endpoint, or the token lacks its scope.
    Often not a failure for the caller."""


class NotFound(FullscriptError):
    """404: no such object for this clinic, or an endpoint that this server does not have."""


class RequestRefused(FullscriptError):
    """Any other 4xx: asking again would not help."""


class RateLimited(FullscriptError, ServiceUnavailable):
    """429 that outlasted our patience. `retry_after` is what the server asked for, in seconds."""

    exit_code = 69
    retry_after: float | None = None


class ServerError(FullscriptError, ServiceUnavailable):
    """5xx, 408, 425, or a connection that failed."""

    exit_code = 69
    retry_after: float | None = None


class BadResponse(FullscriptError, ServiceUnavailable):
    """An answer we do not understand. Never read "nothing" out of one."""

    exit_code = 69


class ConnectRefused(PipelineError):
    """A connect attempt that was denied, is too old, or does not belong to us."""
