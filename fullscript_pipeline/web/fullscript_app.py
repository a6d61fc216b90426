"""The portal's app on one server: who signs in, whether they still may, whom they see, the end of their token.

All requests are reads or token calls, with the token of the user who clicks. What does not belong here: links into
Fullscript (`fullscript_links`), sessions, HTTP towards the browser.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fullscript_pipeline.api import (
    Budget,
    ClinicRef,
    ClinicSession,
    FixedToken,
    FullscriptError,
    GrantedTokens,
    HttpClient,
    Priority,
    RetryPolicy,
    TokenEndpoint,
    authorize_url,
)
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.settings import ServerSettings
from fullscript_pipeline.web.session_locks import session_lock
from fullscript_pipeline.web.sessions import Sessions, UserTokens

# A person waits for the answer.
_PATIENCE = RetryPolicy(attempts=2, unreadable_attempts=2, first_wait_when_limited=1.0, longest_wait=2.0)
_REQUESTS, _WINDOW_SECONDS = 4750, 300.0
# An access token that ends this soon is renewed before it is used.
_ENDS_SOON_SECONDS = 60.0
_CALLER = "the portal"


class PortalBudget:
    """The requests of the portal's app in five minutes; only this process sends them."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()
        self._paused_until = 0.0

    def acquire(self, priority: Priority) -> None:
        while (wait := self._wait()) > 0:
            time.sleep(min(wait, 1.0))

    def pause_requests(self, seconds: float) -> None:
        self._paused_until = time.monotonic() + seconds

    def _wait(self) -> float:
        with self._lock:
            now = time.monotonic()
            while self._sent and self._sent[0] <= now - _WINDOW_SECONDS:
                self._sent.popleft()
            wait = self._paused_until - now
            if len(self._sent) >= _REQUESTS:
                wait = max(wait, self._sent[0] + _WINDOW_SECONDS - now)
            if wait <= 0:
                self._sent.append(now)
            return wait


class SessionTokens:
    """The tokens of one open session, renewed once however many requests need it."""

    def __init__(self, sessions: Sessions, key: str, *, endpoint: TokenEndpoint, now: Callable[[], float]) -> None:
        self._sessions, self._key, self._endpoint, self._now = sessions, key, endpoint, now

    def access_token(self) -> str:
        tokens = self._tokens()
        return tokens.access if tokens.ends_s - _ENDS_SOON_SECONDS > self._now() else self.renew(tokens.access)

    def renew(self, rejected: str) -> str:
        with session_lock(self._key):
            tokens = self._tokens()
            if tokens.access != rejected:
                return tokens.access
            granted = self._endpoint.refresh(tokens.refresh, _CALLER)
            self._sessions.replace_tokens(self._key, token_pair(granted))
            return granted.access_token

    def confirm_used(self, token: str) -> None:
        """Does nothing: the former pair is not kept."""

    def _tokens(self) -> UserTokens:
        tokens = self._sessions.tokens(self._key)
        if tokens is None:
            raise NeedsConnect("The session of the portal is closed: sign in again.")
        return tokens


@dataclass(frozen=True, kw_only=True)
class FullscriptApp:
    """One server's app; `endpoint` makes its token calls. Threads share it."""

    server: ServerSettings
    redirect_uri: str
    client: HttpClient
    budget: Budget
    endpoint: TokenEndpoint

    @classmethod
    def of_server(cls, server: ServerSettings, redirect_uri: str) -> "FullscriptApp":
        client, budget = HttpClient(max_seconds=30.0, connect_seconds=5.0, read_seconds=15.0), PortalBudget()
        endpoint = TokenEndpoint(server, redirect_uri, client, budget)
        return cls(server=server, redirect_uri=redirect_uri, client=client, budget=budget, endpoint=endpoint)

    def authorize_url(self, state: str) -> str:
        return authorize_url(self.server, self.redirect_uri, state)

    def reader(self, tokens: FixedToken | SessionTokens, clinic_key: str = "(signing in)") -> ClinicSession:
        """Reads as the user of these tokens. It is not closed: its connections are the app's."""
        clinic = ClinicRef(server=self.server.name, clinic_id="", clinic_key=clinic_key, region=self.server.region)
        return ClinicSession(
            clinic, self.server.api_url, client=self.client, tokens=tokens, budget=self.budget, retry=_PATIENCE
        )

    def tokens_of(self, sessions: Sessions, key: str, now: Callable[[], float]) -> SessionTokens:
        return SessionTokens(sessions, key, endpoint=self.endpoint, now=now)

    def revoke(self, token: str) -> bool:
        """Whether Fullscript has confirmed that the token is revoked."""
        try:
            self.endpoint.revoke(token, _CALLER)
        except FullscriptError:
            return False
        return True


def clinic_id_of(reader: ClinicSession) -> str:
    """The clinic of the user. Raises errors of `api`."""
    return str(reader.fetch_object("clinic").record["id"])


def name_of(reader: ClinicSession, tokens: GrantedTokens) -> str:
    """The user's name, as Fullscript has it; else what they are."""
    endpoint = {"Practitioner": "practitioner", "Staff": "staff_member"}.get(tokens.user_type or "")
    record = {}
    if endpoint is not None:
        with suppress(FullscriptError):
            record = dict(reader.fetch_object(endpoint, {"id": tokens.user_id or ""}).record)
    parts = [record.get(key) for key in ("first_name", "last_name")]
    name = " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    return name or (tokens.user_type or "User")


def listed_patients(reader: ClinicSession) -> frozenset[str]:
    """The ids of the patients that Fullscript lists to the user. Raises errors of `api`."""
    pages = reader.pages("patients", params={"patient_type": "all"})
    return frozenset(str(record["id"]) for page in pages for record in page.records if record.get("id"))


def token_pair(granted: GrantedTokens) -> UserTokens:
    return UserTokens(access=granted.access_token, refresh=granted.refresh_token, ends_s=granted.expires_at.timestamp())
