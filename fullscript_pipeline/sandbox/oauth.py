"""The vendor's OAuth rules: codes, tokens, the rotation of refresh tokens, revocation. All of it in real time.

What does not belong here: HTTP (`routes`), and what a token may see (`endpoints`).
"""

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fullscript_pipeline.sandbox.store import PIPELINE, PORTAL, Code, State, TokenPair
from fullscript_pipeline.sandbox.world import User

CODE_SECONDS = 600


class RefusalError(Exception):
    """Why the token endpoint refuses: the OAuth error word, a sentence, and the status to answer with."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


class AuthorizationServer:
    """Hands out and checks tokens; `save` is called after every change, before anything is answered."""

    def __init__(self, state: State, save: Callable[[], None], now: Callable[[], float] = time.time) -> None:
        self.state, self.save, self.now = state, save, now

    def app(self, server: str, client_id: str | None, redirect_uri: str | None) -> str | None:
        """The name of the app that may request an authorization with these parameters, if any."""
        name = self._name_of(server, client_id)
        return name if name is not None and redirect_uri == self.state.redirect_uri_of(name) else None

    def approve(self, server: str, clinic: str, user: str = "", *, app: str = PIPELINE) -> str:
        """A user of the clinic (by default its owner) approves; returns the code, valid once for ten minutes."""
        code = secrets.token_urlsafe(32)
        self.state.codes = {
            key: stored_code for key, stored_code in self.state.codes.items() if stored_code.expires_at > self.now()
        }
        uri, ends = self.state.redirect_uri_of(app), self.now() + CODE_SECONDS
        self.state.codes[code] = Code(
            server=server, clinic=clinic, redirect_uri=uri, expires_at=ends, user=user, app=app
        )
        self.save()
        return code

    def token(self, server: str, form: Mapping[str, Any], *, rotates: bool = True) -> TokenPair:
        """Answers the token endpoint; unless it `rotates`, a renewed pair has the refresh token that was sent.

        Raises RefusalError.
        """
        app = self._checked_app(server, form)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(server, app, str(form.get("code", "")), form.get("redirect_uri"))
            case "refresh_token":
                return self._refresh(server, app, str(form.get("refresh_token", "")), rotates=rotates)
        raise RefusalError("unsupported_grant_type", "The grant_type must be authorization_code or refresh_token.")

    def revoke(self, server: str, form: Mapping[str, Any]) -> None:
        """Ends the whole authorization a token belongs to; an unknown token is no error. Raises RefusalError."""
        app = self._checked_app(server, form)
        token = form.get("token")
        for pair in self._pairs(server, app):
            if token in {pair.access_token, pair.refresh_token}:
                self.forget(grant=pair.grant)

    def forget(self, *, grant: str | None = None, clinic: str | None = None) -> int:
        """Revokes an authorization, or all of a clinic's, as its user may in the app; returns the number of tokens."""
        pairs = self.state.pairs
        remaining = {key: pair for key, pair in pairs.items() if grant != pair.grant and clinic != pair.clinic}
        self.state.pairs = remaining
        self.save()
        return len(pairs) - len(remaining)

    def expire_access_tokens(self) -> int:
        """Ages every access token past its end (refresh tokens never end); returns how many were valid."""
        alive = [pair for pair in self.state.pairs.values() if self._is_fresh(pair)]
        for pair in alive:
            pair.created_at = self.now() - pair.expires_in
        self.save()
        return len(alive)

    def bearer(self, server: str, access_token: str) -> TokenPair | None:
        """The valid token of a request. Its first use retires every other refresh token of the same authorization."""
        pair = self.state.pairs.get(access_token)
        if pair is None or pair.server != server or not self._is_fresh(pair):
            return None
        if not pair.used:
            self._first_use(pair)
        return pair

    def connected(self, clinic: str) -> bool:
        """Whether somebody of the clinic has authorized the pipeline's app and not taken it back."""
        return any(pair.clinic == clinic and pair.app == PIPELINE for pair in self.state.pairs.values())

    def _is_fresh(self, pair: TokenPair) -> bool:
        return self.now() < pair.created_at + pair.expires_in

    def _first_use(self, pair: TokenPair) -> None:
        # "After the first use of the new access_token, only the new refresh_token will be valid."
        pair.used = True
        for pair_of_grant in self.state.pairs.values():
            if pair_of_grant.grant == pair.grant and pair_of_grant is not pair:
                pair_of_grant.refresh_retired = True
        self.state.pairs = {
            key: stored_pair
            for key, stored_pair in self.state.pairs.items()
            if self._is_fresh(stored_pair) or not stored_pair.refresh_retired
        }
        self.save()

    def _exchange(self, server: str, app: str, code: str, redirect_uri: object) -> TokenPair:
        stored_code = self.state.codes.pop(code, None)
        is_theirs = stored_code is not None and (stored_code.server, stored_code.app) == (server, app)
        if stored_code is None or not is_theirs or stored_code.expires_at <= self.now():
            self.save()
            raise RefusalError("invalid_grant", "The authorization code is unknown, used or older than ten minutes.")
        if redirect_uri != stored_code.redirect_uri:
            self.save()
            raise RefusalError("invalid_grant", "The redirect_uri is not the one that was used to authorize.")
        grant = secrets.token_hex(8)
        return self._issue(server, stored_code.clinic, user=stored_code.user, grant=grant, app=app)

    def _refresh(self, server: str, app: str, refresh_token: str, *, rotates: bool) -> TokenPair:
        for pair in self._pairs(server, app):
            if pair.refresh_token == refresh_token and not pair.refresh_retired:
                unrotated = None if rotates else refresh_token
                return self._issue(server, pair.clinic, user=pair.user, grant=pair.grant, app=app, unrotated=unrotated)
        raise RefusalError("invalid_grant", "The refresh token is unknown, revoked or has been replaced.")

    def _issue(
        self, server: str, clinic: str, *, user: str, grant: str, app: str, unrotated: str | None = None
    ) -> TokenPair:
        settings = self.state.settings
        pair = TokenPair(
            access_token=secrets.token_hex(32),
            refresh_token=unrotated or secrets.token_hex(32),
            server=server,
            clinic=clinic,
            grant=grant,
            scope=settings.scopes,
            created_at=self.now(),
            expires_in=settings.token_seconds,
            user=user,
            app=app,
        )
        self.state.pairs[pair.access_token] = pair
        self.save()
        return pair

    def _pairs(self, server: str, app: str) -> list[TokenPair]:
        return [pair for pair in self.state.pairs.values() if (pair.server, pair.app) == (server, app)]

    def _name_of(self, server: str, client_id: object) -> str | None:
        names = (name for name in (PIPELINE, PORTAL) if self.state.app_of(name, server).client_id == client_id)
        return next(names, None)

    def _checked_app(self, server: str, form: Mapping[str, Any]) -> str:
        """The name of the app whose credentials these are. Raises RefusalError."""
        name = self._name_of(server, form.get("client_id"))
        if name is None or form.get("client_secret") != self.state.app_of(name, server).client_secret:
            raise RefusalError("invalid_client", "The client_id or the client_secret is not that of an app here.", 401)
        return name


def token_answer(pair: TokenPair, owner: User, *, with_refresh_token: bool = True) -> dict[str, Any]:
    """The documented body of a successful token request."""
    refreshes = {"refresh_token": pair.refresh_token} if with_refresh_token else {}
    created = datetime.fromtimestamp(pair.created_at, UTC)
    return {
        "oauth": {
            "access_token": pair.access_token,
            "token_type": "Bearer",
            "expires_in": pair.expires_in,
            **refreshes,
            "scope": pair.scope,
            "created_at": created.strftime("%Y-%m-%dT%H:%M:%S.") + f"{created.microsecond // 1000:03d}Z",
            "resource_owner": {"id": owner.id, "type": owner.type},
        }
    }
