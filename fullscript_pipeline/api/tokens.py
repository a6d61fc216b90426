"""Keeps one clinic's access token fresh, whatever other threads and processes do at the same time.

The vendor rotates: every refresh makes a new pair, and the old refresh token lives until the new access token is used
for the first time. So a renewal happens under a lock that all processes respect, in this order: lock, read again,
still needed?, ask, **save the new pair and keep the refresh token before it**, unlock, only then use it. Whatever dies
in between, one of the two refresh tokens in the store works. What does not belong here: the store, the HTTP call.

Real time throughout, never FULLSCRIPT_NOW: the server's clock is real.
"""

import logging
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from fullscript_pipeline import clock
from fullscript_pipeline.api.clinic import ClinicRef, Grant
from fullscript_pipeline.api.errors import BadResponse, InvalidGrant, RateLimited, ServerError
from fullscript_pipeline.api.oauth import TokenAnswer, TokenEndpoint
from fullscript_pipeline.errors import NeedsConnect

# A token is renewed this long, or this share of its life, before its end, whichever is shorter.
_EARLY = timedelta(seconds=60)
_EARLY_SHARE = 0.1
# After a token call that failed on the server's side, the threads of a session do not each try it again.
_SILENT_SECONDS = 15.0
_log = logging.getLogger(__name__)


class GrantStore(Protocol):
    """Where grants live; `state.StateStore` is one."""

    def load_grant(self, clinic: ClinicRef) -> Grant | None: ...
    def save_grant(self, clinic: ClinicRef, grant: Grant, *, expected_generation: int | None = None) -> bool: ...
    def confirm_grant(self, clinic: ClinicRef, user_id: str, generation: int) -> None: ...
    def mark_grant_dead(self, clinic: ClinicRef, user_id: str, generation: int) -> None: ...
    def mark_needs_connect(self, clinic: ClinicRef, reason: str) -> None: ...
    def grant_lock(self, clinic: ClinicRef) -> AbstractContextManager[None]: ...


class TokenKeeper:
    """The `TokenSource` of a session: thread-safe, and one of many on the same store."""

    def __init__(self, clinic: ClinicRef, store: GrantStore, endpoint: TokenEndpoint) -> None:
        self._clinic, self._store, self._endpoint = clinic, store, endpoint
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._failure: ServerError | RateLimited | BadResponse | None = None
        self._silent_until = 0.0

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
            self._grant = self._fresh(self._stored(), rejected) or self._renewed(rejected)
            return self._grant

    def _renewed(self, rejected: str | None) -> Grant:
        with self._store.grant_lock(self._clinic):
            grant = self._stored()  # again: a sibling may have renewed while we waited
            return self._fresh(grant, rejected) or self._rotate(grant, rejected)

    def _fresh(self, grant: Grant, rejected: str | None) -> Grant | None:
        wanted = grant.access_token != rejected and not _is_due(grant, clock.real_now())
        return grant if wanted else None

    def _rotate(self, grant: Grant, rejected: str | None) -> Grant:
        """Under the lock: a new pair, saved before anyone uses it."""
        try:
            if self._failure is not None and time.monotonic() < self._silent_until:
                raise self._failure
            answer = self._endpoint.refresh(grant.refresh_token, self._clinic.clinic_key)
        except InvalidGrant:
            return self._rescue(grant)
        except (ServerError, RateLimited, BadResponse) as failure:
            if failure is not self._failure:
                self._failure, self._silent_until = failure, time.monotonic() + _SILENT_SECONDS
                _log.warning("clinic %s: the token could not be renewed now", self._clinic.clinic_key)
            if grant.access_token != rejected and clock.real_now() < grant.expires_at:
                return grant  # it still lasts
            raise
        return self._saved(grant, answer, previous=grant.refresh_token)

    def _rescue(self, grant: Grant) -> Grant:
        """The server refused our refresh token: somebody connected anew, the kept one works, or the grant is dead."""
        stored = self._stored()
        if stored.access_token != grant.access_token:
            return stored
        if grant.previous_refresh_token:
            try:
                answer = self._endpoint.refresh(grant.previous_refresh_token, self._clinic.clinic_key)
                return self._saved(grant, answer, previous=grant.previous_refresh_token)
            except InvalidGrant:
                pass
        self._store.mark_grant_dead(self._clinic, grant.user_id, grant.generation)
        fallback = self._store.load_grant(self._clinic)
        if fallback is not None:
            # Another user of the clinic connected as well: go on with that grant.
            return self._fresh(fallback, None) or self._rotate(fallback, None)
        self._store.mark_needs_connect(self._clinic, "the server does not accept its authorisation any more")
        raise self._needs_connect()

    def _saved(self, grant: Grant, answer: TokenAnswer, previous: str) -> Grant:
        new = replace(
            grant,
            access_token=answer.access_token,
            refresh_token=answer.refresh_token,
            previous_refresh_token=previous,
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
