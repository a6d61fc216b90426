"""Keeps one clinic's access token fresh, whatever other threads and processes do at the same time.

The vendor rotates tokens: every refresh makes a new pair, and the old refresh token stays valid until the new access
token is first used. So a renewal runs under a lock that all processes respect, in this order: lock, read the store
again, check that it is still needed, request, **save the new pair together with the previous refresh token**, unlock,
and only then use it. If a process dies in between, one of the two stored refresh tokens works.

A renewal can fail in two ways. If the server answers invalid_grant, also for the pair that is stored now and for the
previous refresh token, the grant is dead and a person must `connect` (NeedsConnect, exit 77). If the server fails (5xx,
no response, an HTML page), the grant may still be valid, so nothing is marked and nobody has to sign in again (exit
69); the next run tries again. In both cases at most two token calls are sent, by all threads and processes together.

All times are real, never FULLSCRIPT_NOW, because the server's clock is real. What does not belong here: the store, the
HTTP call.
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
from fullscript_pipeline.api.oauth import GrantedTokens, TokenEndpoint
from fullscript_pipeline.errors import NeedsConnect

# A token is renewed this long, or this share of its life, before it expires, whichever is shorter.
_EARLY = timedelta(seconds=60)
_EARLY_SHARE = 0.1
# After a token call failed on the server's side, no thread and no process retries it for this long.
_SILENT_SECONDS = 15.0
# Statuses of a token endpoint that does not accept the app (a refused grant has its own error code).
APP_REFUSED = frozenset({400, 401, 403, 422})
_log = logging.getLogger(__name__)


class _StillFailingError(ServerError):
    """The token endpoint failed a moment ago, here or in another process."""

    exhausted = True


class GrantStore(Protocol):
    """The store of grants; `state.StateStore` implements it."""

    def load_grant(self, clinic: ClinicRef) -> Grant | None: ...
    def save_grant(self, clinic: ClinicRef, grant: Grant, *, expected_generation: int | None = None) -> bool: ...
    def confirm_grant(self, clinic: ClinicRef, user_id: str, generation: int) -> None: ...
    def mark_grant_dead(self, clinic: ClinicRef, user_id: str, generation: int, reason: str) -> None: ...
    def record_token_failure(self, clinic: ClinicRef, request: RequestSummary) -> None: ...
    def token_failure(self, clinic: ClinicRef, within: float) -> RequestSummary | None: ...
    def grant_lock(self, clinic: ClinicRef) -> AbstractContextManager[None]: ...


class TokenKeeper:
    """The `TokenSource` of a session; thread-safe. Several may share a store."""

    def __init__(self, clinic: ClinicRef, store: GrantStore, endpoint: TokenEndpoint) -> None:
        self._clinic, self._store, self._endpoint = clinic, store, endpoint
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        # Called with each grant before its token is first used.
        self.on_grant: Callable[[Grant], None] = lambda grant: None

    def access_token(self) -> str:
        """Returns a token that is not about to expire. Raises NeedsConnect if no grant works, or the server's error."""
        grant = self._grant
        if grant is None or _is_due(grant, clock.real_now()):
            grant = self._current(rejected=None)
        return grant.access_token

    def renew(self, rejected: str) -> str:
        """Returns another token than `rejected`: the stored one, if another process has renewed it, else a new one."""
        return self._current(rejected).access_token

    def confirm_used(self, token: str) -> None:
        """Records that the server has accepted `token`, so that the previous refresh token is no longer needed."""
        grant = self._grant
        if grant is None or grant.access_token != token or grant.previous_refresh_token is None:
            return
        with self._lock:
            if self._grant is not grant:
                return
            self._grant = replace(grant, previous_refresh_token=None)
        self._store.confirm_grant(self._clinic, grant.user_id, grant.generation)

    def _current(self, rejected: str | None) -> Grant:
        """The grant to use now, renewed if it is due or its token was rejected."""
        with self._lock:
            grant = self._fresh(self._stored(), rejected) or self._renewed(rejected)
            self.on_grant(grant)
            self._grant = grant
            return grant

    def _renewed(self, rejected: str | None) -> Grant:
        with self._store.grant_lock(self._clinic):
            grant = self._stored()  # read again: another process may have renewed it meanwhile
            return self._fresh(grant, rejected) or self._rotate(grant, rejected)

    def _fresh(self, grant: Grant, rejected: str | None) -> Grant | None:
        is_usable = grant.access_token != rejected and not _is_due(grant, clock.real_now())
        return grant if is_usable else None

    def _rotate(self, grant: Grant, rejected: str | None) -> Grant:
        """Requests a new pair under the lock, and saves it before it is used."""
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
                return grant  # not expired yet
            raise
        return self._saved(grant, answer, previous=grant.refresh_token)

    def _require_no_recent_failure(self) -> None:
        request = self._store.token_failure(self._clinic, _SILENT_SECONDS)
        # After the app was refused, a setting is corrected: that may be tried at once.
        if request is not None and request.status not in APP_REFUSED:
            raise _StillFailingError(
                request,
                "the token could not be renewed a moment ago, and is not tried again yet",
                f"Nothing is lost and no `connect` is needed: run this again in {_SILENT_SECONDS:.0f} s.",
            )

    def _rescue(self, grant: Grant) -> Grant:
        """Handles a refused refresh token: a new connect is used, or the previous token works, or the grant is dead."""
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
        # Another user of the clinic may have connected too: use that grant. Each dead grant is tried once.
        another = self._stored()
        return self._fresh(another, None) or self._rotate(another, None)

    def _saved(self, grant: Grant, answer: GrantedTokens, previous: str) -> Grant:
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
            return self._stored()  # a connect was faster: use its pair
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
    """Whether the token must be renewed; also if it was obtained in the future (the clock was set back)."""
    early = min(_EARLY, (grant.expires_at - grant.obtained_at) * _EARLY_SHARE)
    return moment >= grant.expires_at - early or moment < grant.obtained_at - _EARLY
