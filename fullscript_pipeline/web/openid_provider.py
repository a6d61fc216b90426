"""The OpenID provider at which operators sign in: discovery, the code flow with PKCE, what an ID token says.

An ID token is accepted only if it is signed with one of the provider's published keys by an asymmetric algorithm, is
from this issuer and for this client, has the nonce of this sign-in and has not expired. What does not belong here:
sessions, and what roles allow (`operator_sign_in`).
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.web.configuration import OperatorApp
from fullscript_pipeline.web.sessions import UserTokens

# `none`, and algorithms whose key is a secret that both sides share, are refused.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_SECONDS = httpx.Timeout(10.0, connect=5.0)
_KEPT_SECONDS = 3600
# A provider that has answered a minute ago is not asked whether it is there.
_SEEN_SECONDS = 60
# A key that is not known is looked for at once, but not for every token that somebody makes up.
_KEYS_AGAIN_SECONDS = 10
_CLOCKS_DIFFER_SECONDS = 60
_BASIC = "client_secret_basic"
_DISCOVERY = "/.well-known/openid-configuration"


class ProviderDown(Exception):
    """The provider cannot be reached, or does not answer as an OpenID provider."""


class SignInRefused(Exception):
    """The provider refuses a code or a token, or what it answers cannot be trusted."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Who signed in. `roles`: None where the provider does not say."""

    subject: str
    name: str
    roles: frozenset[str] | None
    tokens: UserTokens


class OpenIdProvider:
    """The provider, for the portal's client there. Threads share it."""

    def __init__(self, app: OperatorApp, redirect_uri: str, now: Callable[[], float]) -> None:
        self._app, self._redirect_uri, self._now = app, redirect_uri, now
        self._lock = threading.Lock()
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def authorize_url(self, state: str, *, nonce: str, verifier: str) -> str:
        """Where the browser is sent, if the provider answers now. Raises ProviderDown."""
        address = self._address("authorization_endpoint", _SEEN_SECONDS)
        with self._client() as (client, _auth):
            url, _ = client.create_authorization_url(address, state=state, code_verifier=verifier, nonce=nonce)
        return str(url)

    def exchange(self, code: str, *, nonce: str, verifier: str) -> Operator:
        """Who signed in with this code. Raises ProviderDown or SignInRefused."""
        address = self._address("token_endpoint")
        with self._client() as (client, auth):
            answer = client.fetch_token(
                address, grant_type="authorization_code", code=code, code_verifier=verifier, auth=auth
            )
        return self._operator(answer, self._claims(answer, nonce))

    def confirm(self, tokens: UserTokens, subject: str) -> Operator:
        """The same operator, as the provider has them now. Raises ProviderDown or SignInRefused."""
        if not tokens.refresh:
            return self._operator({"access_token": tokens.access}, {"sub": subject}, before=tokens)
        address = self._address("token_endpoint")
        with self._client() as (client, auth):
            answer = client.refresh_token(address, refresh_token=tokens.refresh, auth=auth)
        claims = self._claims(answer, None) if "id_token" in answer else {"sub": subject}
        if claims["sub"] != subject:
            raise SignInRefused
        return self._operator(answer, claims, before=tokens)

    def revoke(self, token: str) -> bool:
        """Whether the provider has ended the token, or offers no way to."""
        try:
            if "revocation_endpoint" not in self._described():
                return True
            address = self._address("revocation_endpoint")
            with self._client() as (client, auth):
                return bool(client.revoke_token(address, token=token, auth=auth).is_success)
        except (ProviderDown, SignInRefused):
            return False

    def _operator(
        self, answer: Mapping[str, Any], claims: Mapping[str, Any], *, before: UserTokens | None = None
    ) -> Operator:
        """`before`: the tokens of a session that is confirmed; then userinfo is asked, whatever the ID token says."""
        access = str(answer.get("access_token") or "")
        roles = _roles(claims, self._app.roles_claim)
        if before is not None or roles is None:
            userinfo = self._userinfo(access, str(claims["sub"]), is_needed=before is not None and not before.refresh)
            roles = _roles(userinfo, self._app.roles_claim) if roles is None else roles
            claims = {**userinfo, **claims}
        lasts = answer.get("expires_in")
        tokens = UserTokens(
            access=access,
            refresh=str(answer.get("refresh_token") or (before.refresh if before else "")),
            ends_s=self._now() + (float(lasts) if isinstance(lasts, int | float) else 0.0),
        )
        name = next((claims[key] for key in ("name", "preferred_username", "email") if claims.get(key)), "Operator")
        return Operator(subject=str(claims["sub"]), name=str(name), roles=roles, tokens=tokens)

    def _userinfo(self, access: str, subject: str, *, is_needed: bool) -> Mapping[str, Any]:
        """What the provider says of the token's user; {} where it has no such address. Raises SignInRefused."""
        if "userinfo_endpoint" not in self._described():
            if is_needed:
                raise SignInRefused
            return {}
        address = self._address("userinfo_endpoint")
        with self._session() as session:
            headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
            answer = session.get(address, headers=headers)
        if answer.status_code in (401, 403):
            raise SignInRefused
        content = _json_object(answer)
        if content.get("sub") != subject:
            raise SignInRefused
        return content

    def _claims(self, answer: Mapping[str, Any], nonce: str | None) -> Mapping[str, Any]:
        """What the ID token says, once it is verified. Raises SignInRefused."""
        text = answer.get("id_token")
        if not isinstance(text, str):
            raise SignInRefused
        try:
            token = self._decoded(text)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._described()["issuer"]},
                    "aud": {"essential": True, "value": self._app.client_id},
                    "sub": {"essential": True},
                },
                params={"nonce": nonce, "client_id": self._app.client_id, "access_token": answer.get("access_token")},
            )
            claims.validate(now=int(self._now()), leeway=_CLOCKS_DIFFER_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError):
            raise SignInRefused from None
        return dict(token.claims)

    def _decoded(self, text: str) -> jwt.Token:
        """The token, its signature verified. A key that is not known may be a new one: the keys are read again."""
        try:
            return jwt.decode(text, self._key_set(_KEPT_SECONDS), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            return jwt.decode(text, self._key_set(_KEYS_AGAIN_SECONDS), algorithms=ALGORITHMS)

    def _key_set(self, oldest: float) -> KeySet:
        with self._lock:
            kept = self._keys
        if kept is not None and self._now() - kept[0] < oldest:
            return kept[1]
        address = self._address("jwks_uri")
        with self._session() as session:
            content = _json_object(session.get(address))
        try:
            keys = KeySet.import_key_set({"keys": content["keys"]})
        except (JoseError, ValueError, TypeError, KeyError):
            raise ProviderDown from None
        with self._lock:
            self._keys = (self._now(), keys)
        return keys

    def _described(self, oldest: float = _KEPT_SECONDS) -> Mapping[str, Any]:
        """What the provider says of itself, at the issuer's address only. Raises ProviderDown."""
        with self._lock:
            kept = self._metadata
        if kept is not None and self._now() - kept[0] < oldest:
            return kept[1]
        with self._session() as session:
            content = _json_object(session.get(self._app.issuer.rstrip("/") + _DISCOVERY))
        if str(content.get("issuer", "")).rstrip("/") != self._app.issuer.rstrip("/"):
            raise ProviderDown
        with self._lock:
            self._metadata = (self._now(), content)
        return content

    def _address(self, name: str, oldest: float = _KEPT_SECONDS) -> str:
        """One of the provider's addresses; secrets travel there, so it is https."""
        address = self._described(oldest).get(name)
        if not isinstance(address, str) or not (address.startswith("https://") or is_loopback(address)):
            raise ProviderDown
        return address

    @contextmanager
    def _session(self) -> Iterator[httpx.Client]:
        with _explained(), httpx.Client(timeout=_SECONDS, trust_env=not is_loopback(self._app.issuer)) as session:
            yield session

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, httpx.Auth]]:
        """A client for one call, which keeps the token of its last answer, and how it says who it is."""
        app, methods = self._app, self._described().get("token_endpoint_auth_methods_supported", [_BASIC])
        with self._session() as session:
            client = OAuth2Client(
                session,
                app.client_id,
                app.client_secret,
                scope=app.scopes,
                redirect_uri=self._redirect_uri,
                code_challenge_method="S256",
            )
            yield client, _SecretInBasic(app) if _BASIC in methods else _SecretInBody(app)


class _SecretInBasic(httpx.BasicAuth):
    """`client_secret_basic`: RFC 6749 wants both encoded first."""

    def __init__(self, app: OperatorApp) -> None:
        super().__init__(quote(app.client_id, safe=""), quote(app.client_secret, safe=""))


class _SecretInBody(httpx.Auth):
    """`client_secret_post`."""

    requires_request_body = True

    def __init__(self, app: OperatorApp) -> None:
        self._fields = {"client_id": app.client_id, "client_secret": app.client_secret}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        fields = dict(parse_qsl(request.content.decode())) | self._fields
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        yield httpx.Request(request.method, request.url, data=fields, headers=headers)


def _roles(claims: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """The roles in a claim; None: there is no such claim. The whole name first: some contain dots."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if found is None:
        return None
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset({str(found)})


def _json_object(answer: httpx.Response) -> dict[str, Any]:
    """Raises ProviderDown for anything else."""
    try:
        content = answer.json() if answer.is_success else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ProviderDown
    return content


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OAuth2Error:
        raise SignInRefused from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise ProviderDown from None
