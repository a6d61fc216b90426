"""OAuth: the rotation rule against a model of it, and the life of a code."""

from datetime import date

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)

from fullscript_pipeline.sandbox.oauth import AuthorizationServer, RefusalError
from fullscript_pipeline.sandbox.settings import SandboxSettings
from fullscript_pipeline.sandbox.store import TokenPair, new_state

SERVER = "us-snd"


class Rotation(RuleBasedStateMachine):
    """Clients that refresh, retry, use old tokens, wait and disconnect in any order.

    The model keeps, for each pair handed out, whether its refresh token must work: until a newer access token of the
    same authorization is first used, or the authorization is revoked.
    """

    pairs: Bundle[TokenPair] = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.server = AuthorizationServer(
            new_state(SandboxSettings(start=date(2026, 11, 22))), lambda: None, lambda: self.time
        )
        app = self.server.state.apps[SERVER]
        self.client = {"client_id": app.client_id, "client_secret": app.client_secret}
        self.refreshable: dict[str, bool] = {}
        self.grants: dict[str, str] = {}
        self.used: set[str] = set()
        self.revoked: set[str] = set()

    def _remember(self, pair: TokenPair) -> TokenPair:
        self.refreshable[pair.refresh_token] = True
        self.grants[pair.refresh_token] = pair.grant
        return pair

    @rule(target=pairs, clinic=st.sampled_from(["maple-street", "harbor-point"]))
    def authorize(self, clinic: str) -> TokenPair:
        form = {
            "grant_type": "authorization_code",
            "code": self.server.approve(SERVER, clinic),
            "redirect_uri": self.server.state.settings.redirect_uri,
        }
        return self._remember(self.server.token(SERVER, self.client | form))

    @rule(target=pairs, pair=pairs)
    def refresh(self, pair: TokenPair) -> TokenPair | MultipleResults[TokenPair]:
        form = self.client | {"grant_type": "refresh_token", "refresh_token": pair.refresh_token}
        if self.refreshable[pair.refresh_token]:
            fresh = self.server.token(SERVER, form)
            assert fresh.clinic == pair.clinic
            assert fresh.refresh_token not in self.refreshable, "a refresh token is never handed out twice"
            return self._remember(fresh)
        with pytest.raises(RefusalError, match="invalid_grant"):
            self.server.token(SERVER, form)
        return multiple()

    @rule(pair=pairs)
    def use(self, pair: TokenPair) -> None:
        alive = pair.grant not in self.revoked and self.time < pair.created_at + 7200
        assert (self.server.bearer(SERVER, pair.access_token) is not None) == alive
        assert self.server.bearer("ca-snd", pair.access_token) is None, "the other server knows nothing of it"
        if alive and pair.access_token not in self.used:
            self.used.add(pair.access_token)
            self._only(pair)

    def _only(self, pair: TokenPair) -> None:
        for token in self.refreshable:
            if self.grants[token] == pair.grant and token != pair.refresh_token:
                self.refreshable[token] = False

    @rule(pair=pairs)
    def revoke(self, pair: TokenPair) -> None:
        known = pair.access_token in self.server.state.pairs
        for token in self.refreshable:
            if known and self.grants[token] == pair.grant:
                self.refreshable[token] = False
        self.server.revoke(SERVER, self.client | {"token": pair.refresh_token})
        if known:
            self.revoked.add(pair.grant)

    @rule(seconds=st.sampled_from([1, 3600, 7199, 7200]))
    def wait(self, seconds: int) -> None:
        self.time += seconds

    @invariant()
    def what_must_work_is_kept(self) -> None:
        kept = {pair.refresh_token for pair in self.server.state.pairs.values()}
        assert {token for token, works in self.refreshable.items() if works} <= kept


Rotation.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestRotation = Rotation.TestCase


def test_a_code_works_once_and_for_ten_minutes() -> None:
    now = 1000.0
    server = AuthorizationServer(new_state(SandboxSettings(start=date(2026, 11, 22))), lambda: None, lambda: now)
    app = server.state.apps[SERVER]
    form = {"grant_type": "authorization_code", "client_id": app.client_id, "client_secret": app.client_secret}
    form["redirect_uri"] = server.state.settings.redirect_uri
    used, old = server.approve(SERVER, "maple-street"), server.approve(SERVER, "maple-street")
    now += 599
    assert server.token(SERVER, form | {"code": used}).clinic == "maple-street"
    now += 1
    for code in (used, old, "", "made-up"):
        with pytest.raises(RefusalError, match="invalid_grant"):
            server.token(SERVER, form | {"code": code})


def test_a_code_is_bound_to_its_server_and_redirect_uri() -> None:
    server = AuthorizationServer(new_state(SandboxSettings(start=date(2026, 11, 22))), lambda: None)
    for name, uri in (("ca-snd", server.state.settings.redirect_uri), (SERVER, "http://127.0.0.1:1/elsewhere")):
        app = server.state.apps[name]
        form = {"grant_type": "authorization_code", "client_id": app.client_id, "client_secret": app.client_secret}
        with pytest.raises(RefusalError, match="invalid_grant"):
            server.token(name, form | {"code": server.approve(SERVER, "maple-street"), "redirect_uri": uri})
