"""A real OpenID provider, a process of its own on Authlib's server: code flow with PKCE, refresh, userinfo, revocation.

`POST /control` makes it lie (claims of ID tokens), change its keys, or change what it knows of a user. Run it by hand:
`python -m fullscript_pipeline_tests.helpers.openid_provider PORT REDIRECT_URI`. What does not belong here: assertions.
"""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flask
import httpx
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import KeySet, OctKey, RSAKey

from fullscript_pipeline_tests.helpers.free_ports import free_port

CLIENT_ID, CLIENT_SECRET = "portal-of-the-tests", "secret-of-the-tests"
OPERATOR, PATIENTS = "fullscript-operator", "fullscript-patients"
USERS: dict[str, dict[str, Any]] = {
    "olive": {"name": "Olive Operator", "roles": [OPERATOR]},
    "petra": {"name": "Petra Patients", "roles": [OPERATOR, PATIENTS]},
    "clerk": {"name": "Clark Clerk", "roles": ["accounting"]},
    "norole": {"name": "Nora None"},
}


@dataclass
class Client(ClientMixin):
    """The portal."""

    redirect_uri: str

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


@dataclass
class Code(AuthorizationCodeMixin):
    """A code that was given out."""

    user: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class Tokens(TokenMixin):
    """A pair of tokens."""

    user: str
    access: str
    refresh: str
    scope: str

    def check_client(self, client: ClientMixin) -> bool:
        return bool(client.get_client_id() == CLIENT_ID)

    def get_scope(self) -> str:
        return self.scope


@dataclass
class State:
    """What the provider knows; `lies`: claims of ID tokens instead of the true ones."""

    issuer: str
    users: dict[str, dict[str, Any]]
    key: RSAKey
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: list[Tokens] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    lies: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    roles_in_token: bool = True

    def find(self, **wanted: str) -> Tokens | None:
        return next(
            (pair for pair in self.tokens if all(getattr(pair, name) == text for name, text in wanted.items())), None
        )


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)}, private=True)


def make_app(port: int, redirect_uri: str) -> flask.Flask:
    """The provider as a web application."""
    known = {name: dict(claims) for name, claims in USERS.items()}
    app, state = flask.Flask(__name__), State(f"http://127.0.0.1:{port}", known, new_key())
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    server, client = AuthorizationServer(), Client(redirect_uri)

    def save_token(token: dict[str, Any], request: Any) -> None:
        state.tokens.append(
            Tokens(request.user, token["access_token"], token.get("refresh_token", ""), token.get("scope", ""))
        )

    server.init_app(app, query_client=lambda ident: client if ident == CLIENT_ID else None, save_token=save_token)
    register_grants(server, state)
    register_pages(app, server, state)
    register_control(app, state)
    return app


def register_grants(server: AuthorizationServer, state: State) -> None:
    """How tokens are given out."""

    class CodeGrant(grants.AuthorizationCodeGrant):
        def save_authorization_code(self, code: str, request: Any) -> None:
            sent = request.payload.data
            state.codes[code] = Code(
                request.user,
                sent["redirect_uri"],
                sent["scope"],
                sent["nonce"],
                sent["code_challenge"],
                sent["code_challenge_method"],
            )

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            return state.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            state.codes = {code: kept for code, kept in state.codes.items() if kept is not authorization_code}

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.user

    class RefreshGrant(grants.RefreshTokenGrant):
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Tokens | None:
            return state.find(refresh=refresh_token)

        def authenticate_user(self, refresh_token: Tokens) -> str | None:
            return refresh_token.user if refresh_token.user in state.users else None

        def revoke_old_credential(self, refresh_token: Tokens) -> None:
            state.tokens.remove(refresh_token)

    class IdToken(OpenIDCode):
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(code.nonce == nonce for code in state.codes.values())

        def get_client_algorithm(self, client: Any) -> str:
            return state.algorithm

        def get_encode_header(self, client: Any) -> dict[str, str]:
            return {"alg": state.algorithm, "kid": str(state.key.kid)}

        def resolve_client_private_key(self, client: Any) -> Any:
            # Whoever takes a public key for a shared secret believes what anybody signs.
            shared = json.dumps(state.key.as_dict(private=False))
            return OctKey.import_key(shared.encode()) if state.algorithm == "HS256" else state.key

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": state.issuer, "aud": [CLIENT_ID]}

        def generate_user_info(self, user: str, scope: str) -> dict[str, Any]:
            claims = dict(state.users[user])
            if not state.roles_in_token:
                claims.pop("roles", None)
            return {"sub": user, **claims, **state.lies}

    class Revocation(RevocationEndpoint):
        def query_token(self, token_string: str, token_type_hint: str | None) -> Tokens | None:
            return state.find(refresh=token_string) or state.find(access=token_string)

        def revoke_token(self, token: Tokens, request: Any) -> None:
            state.revoked.append(token.user)
            state.tokens.remove(token)

    id_token = IdToken(require_nonce=True)
    server.register_grant(CodeGrant, [CodeChallenge(required=True), id_token])
    server.register_grant(RefreshGrant)
    server.register_endpoint(Revocation)


def register_pages(app: flask.Flask, server: AuthorizationServer, state: State) -> None:
    """What OpenID Connect asks of a provider."""

    @app.get("/.well-known/openid-configuration")
    def describe() -> Any:
        own = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "revocation": "revoke"}
        return {
            "issuer": state.issuer,
            "jwks_uri": f"{state.issuer}/keys",
            **{f"{name}_endpoint": f"{state.issuer}/{path}" for name, path in own.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    @app.get("/keys")
    def keys() -> Any:
        return KeySet([state.key]).as_dict(private=False)

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        user = flask.request.values.get("login")
        grant = server.get_consent_grant(end_user=user)
        if user is None:
            buttons = "".join(f'<button name="login" value="{name}">Sign in as {name}</button>' for name in state.users)
            return f"<title>Provider</title><form method=post>{buttons}<button name=login value=>Deny</button></form>"
        return server.create_authorization_response(grant_user=user or None, grant=grant)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.post("/revoke")
    def revoke() -> Any:
        return server.create_endpoint_response(RevocationEndpoint.ENDPOINT_NAME)

    @app.get("/userinfo")
    def userinfo() -> Any:
        access = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
        pair = state.find(access=access)
        if pair is None or pair.user not in state.users:
            return flask.Response(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return {"sub": pair.user, **state.users[pair.user]}


def register_control(app: flask.Flask, state: State) -> None:
    """What tests change."""

    @app.post("/control")
    def control() -> Any:
        wanted = flask.request.get_json()
        state.users |= wanted.get("users", {})
        for name in wanted.get("removed", []):
            state.users.pop(name, None)
        state.lies = wanted.get("lies", {})
        state.algorithm = wanted.get("algorithm", "RS256")
        state.roles_in_token = wanted.get("roles_in_token", True)
        if wanted.get("new_key"):
            state.key = new_key()
        if wanted.get("no_refresh"):
            app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = False
        return {"revoked": state.revoked}


@dataclass
class RunningProvider:
    """The process; `control` without a word ends every lie."""

    issuer: str
    process: "subprocess.Popen[bytes]"

    def control(self, **wanted: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.issuer}/control", json=wanted, trust_env=False).raise_for_status().json()
        return dict(answer)

    def reset(self) -> None:
        self.control(users={name: dict(claims) for name, claims in USERS.items()})


@contextmanager
def running_provider(redirect_uri: str) -> Iterator[RunningProvider]:
    port = free_port()
    command = [sys.executable, "-m", __name__, str(port), redirect_uri]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        running = RunningProvider(f"http://127.0.0.1:{port}", process)
        try:
            _wait_for(running)
            yield running
        finally:
            process.kill()


def _wait_for(running: RunningProvider) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{running.issuer}/keys", trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError("the OpenID provider of the tests did not start")


if __name__ == "__main__":
    # Authlib refuses http, which on loopback is no risk.
    import os

    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    make_app(int(sys.argv[1]), sys.argv[2]).run("127.0.0.1", int(sys.argv[1]), threaded=True)
