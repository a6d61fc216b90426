"""Keeps one clinic's access token fresh, whatever other threads and processes do at the same time.

The vendor rotates: every refresh makes a new pair, and the old refresh token lives until the new access token is used
for the first time. So a renewal happens under a lock that all processes respect, in this order: lock, read again,
still needed?, ask, **save the new pair and keep the refresh token before it**, unlock, only then use it. Whatever dies
in between, one of the two refresh tokens in the store works. What does not belong here: the store, the HTTP call.

Two ways a renewal fails, never mixed up. The server says invalid_grant, and still does after a second look at the store
and with the kept token: the grant is dead, a person must `connect` (NeedsConnect, exit 77). The server fails (5xx, no
answer, an HTML page): the grant may be as good as ever, so nothing is marked and nobody is sent to sign in again
(exit 69); the next run tries anew. At most two token calls either way, all threads and processes together.

Real time throughout, never FULLSCRIPT_NOW: the server's clock is real.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from fullscript_pipeline import clock
from fullscript_pipeline.api.clinic_identity import ClinicRef, Grant
from fullscript_pipeline.api.errors import (
    AppRefused,
    BadResponse,
    InvalidGrant,
    RateLimited,
    RequestSummary,
    ServerError,
)
from fullscript_pipeline.api.oauth import TokenEndpoint, TokenPair
from fullscript_pipeline.errors import NeedsConnect

# A token is renewed this long, or this share of its life, before its end, whichever is shorter.
_EARLY = timedelta(seconds=60)
_EARLY_SHARE = 0.1
# After a token call that failed on the server's side, nobody (no thread, no other process) tries it again for so long.
_SILENT_SECONDS = 15.0
# With which statuses a token endpoint says that it does not accept the app (what they say of a grant is told apart).
APP_REFUSED = frozenset({400, 401, 403, 422})
_log = logging.getLogger(__name__)


class _StillFailingError(ServerError):
    """The token endpoint failed a moment ago, here or in another process."""

    exhausted = True


class GrantStore(Protocol):
    """Where grants live; `state.StateStore` is one."""

    def load_grant(self, clinic: ClinicRef) -> Grant | None: ...
    def save_grant(self, clinic: ClinicRef, grant: Grant, *, expected_generation: int | None = None) -> bool: ...
    def confirm_grant(self, clinic: ClinicRef, user_id: str, generation: int) -> None: ...
    def mark_grant_dead(self, clinic: ClinicRef, user_id: str, generation: int, reason: str) -> None: ...
    def record_token_failure(self, clinic: ClinicRef, request: RequestSummary) -> None: ...
    def token_failure(self, clinic: ClinicRef, within: float) -> RequestSummary | None: ...
    def grant_lock(self, clinic: ClinicRef) -> AbstractContextManager[None]: ...


class TokenKeeper:
    """The `TokenSource` of a session: thread-safe, and one of many on the same store."""

    def __init__(self, clinic: ClinicRef, store: GrantStore, endpoint: TokenEndpoint) -> None:
        self._clinic, self._store, self._endpoint = clinic, store, endpoint
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        # Called with each grant before its token is first used.
        self.on_grant: Callable[[Grant], None] = lambda grant: None

    def access_token(self) -> str:
        """A token with some life left. Raises NeedsConnect when no grant works, or the family when the server fails."""
        grant = self._grant
        if grant is None or _is_due(grant, clock.real_now()):
            grant = self._current(rejected=None)
        return grant.access_token

    def renew(self, rejected: str) -> str:
        """Another token than `rejected`: the store's, if a sibling has rotated meanwhile, else a new one."""
        return self._current(rejected).access_token

    def confirm_used(self, token: str) -> None:
        """The server has taken `token`: the refresh token before it is spent."""
        grant = self._grant
        if grant is None or grant.access_token != token or grant.previous_refresh_token is None:
            return
        with self._lock:
            if self._grant is not grant:
                return
            self._grant = replace(grant, previous_refresh_token=None)
        self._store.confirm_grant(self._clinic, grant.user_id, grant.generation)

    def _current(self, rejected: str | None) -> Grant:
        """The grant to use now, renewed when it is due or is the one that was rejected."""
        with self._lock:
            grant = self._fresh(self._stored(), rejected) or self._renewed(rejected)
            self.on_grant(grant)
            self._grant = grant
            return grant

    def _renewed(self, rejected: str | None) -> Grant:
        with self._store.grant_lock(self._clinic):
            grant = self._stored()  # again: a sibling may have renewed while we waited
            return self._fresh(grant, rejected) or self._rotate(grant, rejected)

    def _fresh(self, grant: Grant, rejected: str | None) -> Grant | None:
        is_usable = grant.access_token != rejected and not _is_due(grant, clock.real_now())
        return grant if is_usable else None

    def _rotate(self, grant: Grant, rejected: str | None) -> Grant:
        """Under the lock: a new pair, saved before anyone uses it."""
        try:
            self._require_no_recent_failure()
            answer = self._endpoint.refresh(grant.refresh_token, self._clinic.clinic_key)
        except InvalidGrant:
            return self._rescue(grant)
        except AppRefused as refusal:
            self._store.record_token_failure(self._clinic, refusal.request_summary)
            raise
        except (ServerError, RateLimited, BadResponse) as failure:
            if not isinstance(failure, _StillFailingError):
                self._store.record_token_failure(self._clinic, failure.request_summary)
                _log.warning("clinic %s: the token could not be renewed now", self._clinic.clinic_key)
            if grant.access_token != rejected and clock.real_now() < grant.expires_at:
                return grant  # it still lasts
            raise
        return self._saved(grant, answer, previous=grant.refresh_token)

    def _require_no_recent_failure(self) -> None:
        request = self._store.token_failure(self._clinic, _SILENT_SECONDS)
        # After a refusal of the app somebody mends a setting: that may be tried at once.
        if request is not None and request.status not in APP_REFUSED:
            raise _StillFailingError(
                request,
                "the token could not be renewed a moment ago, and is not tried again yet",
                f"Nothing is lost and no `connect` is needed: run this again in {_SILENT_SECONDS:.0f} s.",
            )

    def _rescue(self, grant: Grant) -> Grant:
        """The server refused our refresh token: somebody connected anew, the kept one works, or the grant is dead."""
        stored = self._stored()
        if stored.access_token != grant.access_token:
            return self._fresh(stored, None) or self._rotate(stored, None)
        if grant.previous_refresh_token:
            try:
                answer = self._endpoint.refresh(grant.previous_refresh_token, self._clinic.clinic_key)
                return self._saved(grant, answer, previous=grant.previous_refresh_token)
            except InvalidGrant:
                pass
        self._store.mark_grant_dead(
            self._clinic, grant.user_id, grant.generation, "the server does not accept its authorisation any more"
        )
        # Another user of the clinic may have connected as well: go on with that grant. Each dead one is asked once.
        another = self._stored()
        return self._fresh(another, None) or self._rotate(another, None)

    def _saved(self, grant: Grant, answer: TokenPair, previous: str) -> Grant:
        new = replace(
            grant,
            access_token=answer.access_token,
            refresh_token=answer.refresh_token,
            previous_refresh_token=previous if previous != answer.refresh_token else None,
            obtained_at=answer.obtained_at,
            expires_at=answer.expires_at,
            scopes=answer.scopes or grant.scopes,
        )
        if not self._store.save_grant(self._clinic, new, expected_generation=grant.generation):
            return self._stored()  # a connect was faster: its pair stands
        _log.info("clinic %s: token renewed", self._clinic.clinic_key)
        return replace(new, generation=grant.generation + 1)

    def _stored(self) -> Grant:
        grant = self._store.load_grant(self._clinic)
        if grant is None:
            raise self._needs_connect()
        return grant

    def _needs_connect(self) -> NeedsConnect:
        return NeedsConnect(
            f"Clinic {self._clinic.clinic_key} has no working authorisation: run `fullscript-pipeline connect "
            f"{self._clinic.server}` and sign in as a user of that clinic."
        )


def _is_due(grant: Grant, moment: datetime) -> bool:
    """Whether it is time to renew. A token obtained in the future (the clock was set back) is due too."""
    early = min(_EARLY, (grant.expires_at - grant.obtained_at) * _EARLY_SHARE)
    return moment >= grant.expires_at - early or moment < grant.obtained_at - _EARLY
