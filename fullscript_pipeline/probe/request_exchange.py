"""Sends the requests of a probe within its limit, and returns each answer as it is, whatever its status.

Every request takes part in the clinic's session: its token, the shared request budget, the retry rule. What does not
belong here: which requests are sent (`endpoint_probes`, `date_filters`), what is kept of an answer (`answer_shapes`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.api import (
    AuthError,
    BadResponse,
    Budget,
    ClinicRef,
    ClinicSession,
    FullscriptError,
    HttpClient,
    HttpRequest,
    HttpResponse,
    NotFound,
    Priority,
    RequestRefused,
    ScopeError,
    SessionStore,
    WrongAddress,
    clock_lead,
    open_session,
)
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.probe.probe_report import Outcome
from fullscript_pipeline.resources.types import Endpoint
from fullscript_pipeline.settings import Settings

REQUEST_LIMIT = 200
# Requests that a single one may cause: a renewal of the token, another endpoint that shows whether it is valid.
_RESERVE = 8
_NOTHING: Mapping[str, str] = {}
_OUTCOMES: tuple[tuple[type[FullscriptError], Outcome], ...] = (
    (ScopeError, "refused"), (NotFound, "not found"), (RequestRefused, "invalid request"),
)  # fmt: skip


class ProbeLimitReached(PipelineError):
    """The requests of a probe are used up; what was seen until then is reported."""


class LimitedBudget:
    """A request budget that also counts the requests of this probe, and ends it at its limit."""

    def __init__(self, budget: Budget, limit: int = REQUEST_LIMIT) -> None:
        self._budget, self._limit = budget, limit
        self.sent = 0

    @property
    def left(self) -> int:
        """How many requests may still be planned: a reserve is kept for other requests that they cause."""
        return max(self._limit - self.sent - _RESERVE, 0)

    def acquire(self, priority: Priority) -> None:
        """Waits until one more request may be sent. Raises ProbeLimitReached after the last one."""
        if self.sent >= self._limit:
            raise ProbeLimitReached(f"the probe has sent its {self._limit} requests, so it ends here.")
        self._budget.acquire(priority)
        self.sent += 1

    def pause_requests(self, seconds: float) -> None:
        """Blocks all requests for the given time, because the server requested a pause."""
        self._budget.pause_requests(seconds)


class RecordingClient(HttpClient):
    """Keeps the last answer to a GET of each endpoint: an error of the session does not carry the body."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, HttpResponse] = {}

    def send(self, request: HttpRequest) -> HttpResponse:
        """Sends the request once; see `HttpClient.send`."""
        answer = super().send(request)
        if request.method == "GET":
            self.answers[request.endpoint] = answer
        return answer


@dataclass(frozen=True, kw_only=True)
class ProbeAnswer:
    """An answer, or what came instead. `body` is None where there is no JSON; it never leaves this room."""

    outcome: Outcome
    status: int | None = None
    reason: str = ""
    body: Any = field(default=None, repr=False)


class Exchange:
    """The session of a probe. Collects what every answer shows: names of headers, compression, the server's clock."""

    def __init__(self, session: ClinicSession, client: RecordingClient, budget: LimitedBudget) -> None:
        self.session, self._client, self._budget = session, client, budget
        self.headers: set[str] = set()
        self.encodings: set[str] = set()
        self.leads: list[timedelta] = []

    @property
    def left(self) -> int:
        return self._budget.left

    @property
    def sent(self) -> int:
        return self._budget.sent

    def get(
        self, endpoint: Endpoint, path: Mapping[str, str] = _NOTHING, params: Mapping[str, str] = _NOTHING
    ) -> ProbeAnswer:
        """Sends a GET. Raises what ends the whole probe: NeedsConnect, WrongAddress, ProbeLimitReached."""
        if not self.left:
            return ProbeAnswer(outcome="not requested", reason="the probe's requests are used up")
        self._client.answers.pop(endpoint.name, None)
        outcome: Outcome = "answered"
        reason = ""
        try:
            self.session.fetch_response(endpoint, path, params)
        except (WrongAddress, AuthError):
            raise
        except ProbeLimitReached:
            return ProbeAnswer(outcome="not requested", reason="the probe's requests are used up")
        except FullscriptError as error:
            outcome = next((named for kind, named in _OUTCOMES if isinstance(error, kind)), "failed")
            reason = type(error).__name__
        answer = self._client.answers.get(endpoint.name)
        if answer is None:
            return ProbeAnswer(outcome=outcome, reason=reason)
        self._collect(answer)
        return ProbeAnswer(outcome=outcome, status=answer.status, reason=reason, body=_json(answer))

    def _collect(self, answer: HttpResponse) -> None:
        self.headers |= {name.lower() for name in answer.headers}
        self.encodings.add(answer.headers.get("content-encoding", "none"))
        if (lead := clock_lead(clock.real_now(), answer)) is not None:
            self.leads.append(lead)


def _json(answer: HttpResponse) -> Any:
    try:
        return parse_json(answer.body)
    except (ValueError, BadResponse):
        return None


@contextmanager
def open_exchange(settings: Settings, store: SessionStore, clinic: ClinicRef) -> Iterator[Exchange]:
    """Opens the session of `clinic` without sending a request. Raises what `open_session` raises."""
    server = settings.require_app(clinic.server)
    budget = LimitedBudget(store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min))
    client = RecordingClient()
    limited = _LimitedStore(store=store, budgets=_OneBudget(budget=budget))
    with open_session(settings, limited, clinic, client=client) as session:
        yield Exchange(session, client, budget)


@dataclass(frozen=True, kw_only=True)
class _OneBudget:
    """The budgets of apps: the probe's, whatever the app."""

    budget: Budget

    def of_app(self, server: str, client_id: str, limit: int) -> Budget:
        return self.budget


class _LimitedStore:
    """The state store as a session sees it, with the probe's own budget."""

    def __init__(self, *, store: SessionStore, budgets: _OneBudget) -> None:
        self.tokens, self.purged, self.facts, self.budgets = store.tokens, store.purged, store.facts, budgets
