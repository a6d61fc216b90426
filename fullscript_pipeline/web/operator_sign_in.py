"""Operators sign in at an OpenID provider: `/operators/signin`, `/operators/callback`.

The code verifier (PKCE) and the nonce are keyed digests of the state, so that nothing of them is stored or leaves the
portal before it must. What does not belong here: the provider (`openid_provider`), signing out (`signing_in`).
"""

import logging
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.web.cookies import drop_cookie, set_cookie
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.sessions import OPERATORS, PortalUser
from fullscript_pipeline.web.sign_ins import SIGN_IN_SECONDS
from fullscript_pipeline.web.templating import page
from fullscript_pipeline.web.visitors import NotShown, Visitors

if TYPE_CHECKING:
    from fullscript_pipeline.web.configuration import OperatorApp
    from fullscript_pipeline.web.openid_provider import OpenIdProvider, Operator

_FOREIGN = "This sign-in was not started in this browser, was used already, or is older than ten minutes."
_DENIED = "The provider did not sign you in."
_REFUSED = "What the provider answered could not be verified, so nobody was signed in."
_DOWN = "The provider at which operators sign in does not answer. Try again; if it stays, tell whoever runs it."
_NO_ROLE = "Your account has no role that lets operators in here. Ask whoever runs the provider for it."
_log = logging.getLogger(__name__)


class OperatorSignIn:
    """The way in for operators; there is none without a provider."""

    def __init__(self, portal: Portal, visitors: Visitors) -> None:
        self._portal, self._visitors = portal, visitors

    def begin(self, _: Request) -> Response:
        """GET /operators/signin: to the provider, with a state that only this browser can bring back."""
        from fullscript_pipeline.web.openid_provider import ProviderDown  # noqa: PLC0415 - the extra `web`

        provider, _app = self._provider()
        begun = self._portal.sign_ins.begin(OPERATORS)
        nonce, verifier = self._digests(begun.state)
        try:
            address = provider.authorize_url(begun.state, nonce=nonce, verifier=verifier)
        except ProviderDown:
            return self._refused("provider down", _DOWN, 502)
        response = RedirectResponse(address, 303)
        set_cookie(self._portal, response, self._visitors.sign_in_cookie, begun.browser, seconds=SIGN_IN_SECONDS)
        return response

    def callback(self, request: Request) -> Response:
        """GET /operators/callback: the provider sends the browser back."""
        from fullscript_pipeline.web.openid_provider import ProviderDown, SignInRefused  # noqa: PLC0415

        provider, app = self._provider()
        states, query = request.query_params.getlist("state"), request.query_params
        browser = request.cookies.get(self._visitors.sign_in_cookie, "")
        begun = self._portal.sign_ins.use(states[0], browser) if len(states) == 1 and browser else None
        if (
            begun is None
            or begun.server != OPERATORS
            or query.get("iss", app.issuer).rstrip("/") != app.issuer.rstrip("/")
        ):
            return self._refused("state", _FOREIGN, 400)
        if query.get("error") or not query.get("code"):
            return self._refused("denied", _DENIED, 403)
        nonce, verifier = self._digests(states[0])
        try:
            operator = provider.exchange(query["code"], nonce=nonce, verifier=verifier)
        except SignInRefused:
            return self._refused("token", _REFUSED, 400)
        except ProviderDown:
            return self._refused("provider down", _DOWN, 502)
        return self._signed_in(request, operator, app)

    def _signed_in(self, request: Request, operator: "Operator", app: "OperatorApp") -> Response:
        roles = operator.roles or frozenset()
        user = PortalUser(
            server=OPERATORS, clinic_id="", clinic_key="", user_id=operator.subject, user_type="Operator",
            name=operator.name,
        )  # fmt: skip
        if app.operator_role not in roles:
            self._portal.audit.append("sign-in refused", user, why="role")
            return page("message.html.j2", 403, message=_NO_ROLE)
        patients = None if app.patient_role in roles else ()
        before = self._visitors.session_of(request)
        session_id = self._portal.sessions.open(user, operator.tokens, patients=patients)
        if before is not None:
            self._portal.sessions.close(before.key)
        self._portal.audit.append("signed in", user, patients="all" if patients is None else "none")
        response = RedirectResponse("/operators/", 303)
        set_cookie(self._portal, response, self._visitors.cookie, session_id)
        drop_cookie(self._portal, response, self._visitors.sign_in_cookie)
        return response

    def _provider(self) -> "tuple[OpenIdProvider, OperatorApp]":
        provider, app = self._portal.operators, self._portal.configuration.operators
        if provider is None or app is None:
            raise NotShown
        return provider, app

    def _digests(self, state: str) -> tuple[str, str]:
        return self._portal.digests.of("nonce", state), self._portal.digests.of("code verifier", state)

    def _refused(self, why: str, message: str, status: int) -> Response:
        _log.warning("an operator's sign-in was refused: %s", why)
        self._portal.audit.append("sign-in refused", why=why, server=OPERATORS)
        return page("message.html.j2", status, message=message)
