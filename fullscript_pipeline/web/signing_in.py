"""Signing in with Fullscript, and out: `/`, `/signin/<env>`, `/callback`, `/signout`, `/signout-everywhere`.

What does not belong here: the session of a request (`visitors`), what somebody who is signed in sees.
"""

import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.api import FixedToken, FullscriptError, GrantedTokens, InvalidGrant
from fullscript_pipeline.portal_store import read_invitation
from fullscript_pipeline.web.connecting import Connecting
from fullscript_pipeline.web.cookies import drop_cookie, set_cookie
from fullscript_pipeline.web.fullscript_app import (
    FullscriptApp,
    clinic_id_of,
    listed_patients,
    name_of,
    token_pair,
)
from fullscript_pipeline.web.language import COOKIE, LANGUAGES
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.sessions import PortalUser
from fullscript_pipeline.web.sign_ins import CONNECTION, SIGN_IN_SECONDS
from fullscript_pipeline.web.templating import page
from fullscript_pipeline.web.visitors import NotShown, Visitors

_NAMES = {"us": "United States", "ca": "Canada", "us-snd": "United States (sandbox)", "ca-snd": "Canada (sandbox)"}
_FOREIGN = "This sign-in was not started in this browser, was used already, or is older than ten minutes."
_DENIED = "You did not allow the access, so nobody was signed in."
_FAILED = "Fullscript did not complete the sign-in. Try again; if it stays, tell whoever runs this portal."
_UNKNOWN = (
    "There are no pages of your clinic here. Ask whoever runs this portal to connect your clinic; after the next run "
    "you can sign in."
)
_NOT_INVITED = "This invitation is not valid any more. Ask whoever sent it for a new one."
_LANGUAGE_SECONDS = 365 * 86400
_log = logging.getLogger(__name__)


class SigningIn:
    """The way in and the way out."""

    def __init__(self, portal: Portal, visitors: Visitors, connecting: Connecting) -> None:
        self._portal, self._visitors, self._connecting = portal, visitors, connecting

    def front(self, request: Request) -> Response:
        """GET /: the way to one's clinic, or the buttons to sign in."""
        session = self._visitors.session_of(request)
        if session is not None:
            return RedirectResponse("/operators/", 303) if session.is_operator else self._home(session.user)
        return self._front()

    def begin(self, request: Request) -> Response:
        """GET /signin/<env>: to Fullscript, with a state that only this browser can bring back."""
        app = self._portal.apps.get(request.path_params["env"])
        if app is None:
            raise NotShown
        invitation_id = None
        if "invitation" in request.query_params:
            text = request.query_params["invitation"]
            invitation = read_invitation(self._portal.configuration.keys, text, now=self._portal.now())
            if invitation is None or invitation.server != app.server.name:
                self._portal.audit.append("sign-in refused", why="invitation", server=app.server.name)
                return self._front(_NOT_INVITED, 403)
            invitation_id = invitation.invitation_id
        begun = self._portal.sign_ins.begin(app.server.name, invitation_id=invitation_id)
        response = RedirectResponse(app.authorize_url(begun.state), 303)
        set_cookie(self._portal, response, self._visitors.sign_in_cookie, begun.browser, seconds=SIGN_IN_SECONDS)
        return response

    def callback(self, request: Request) -> Response:
        """GET /callback: Fullscript sends the browser back."""
        states, query = request.query_params.getlist("state"), request.query_params
        browser = request.cookies.get(self._visitors.sign_in_cookie, "")
        begun = self._portal.sign_ins.use(states[0], browser) if len(states) == 1 and browser else None
        app = self._portal.apps.get(begun.server) if begun else None
        if app is None or begun is None:
            self._portal.audit.append("sign-in refused", why="state")
            return self._front(_FOREIGN, 400)
        if query.get("error") or not query.get("code"):
            return self._front(_DENIED if query.get("error") == "access_denied" else _FAILED, 403)
        if begun.purpose == CONNECTION:
            return self._connecting.pass_on(request, query["code"])
        try:
            granted = app.endpoint.exchange_code(query["code"])
            return self._signed_in(request, app, granted, begun.invitation_id)
        except FullscriptError as problem:
            _log.warning("a sign-in at %s failed: %s", app.server.name, type(problem).__name__)
            return self._front(_FAILED, 400 if isinstance(problem, InvalidGrant) else 502)

    def choose_language(self, request: Request) -> Response:
        """GET /language/<code>: the portal's own words are in this language from now on."""
        code = request.path_params["code"]
        if code not in LANGUAGES:
            raise NotShown
        response = RedirectResponse("/", 303)
        set_cookie(self._portal, response, COOKIE, code, seconds=_LANGUAGE_SECONDS)
        return response

    def sign_out(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /signout: ends this session, and the user's token at Fullscript."""
        session = self._visitors.require_session(request)
        self._visitors.check_form(session, form)
        self._portal.sessions.close(session.key)
        self._portal.audit.append("signed out", session.user, why="asked")
        return self._signed_out()

    def sign_out_everywhere(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /signout-everywhere: ends every session of this user."""
        session = self._visitors.require_session(request)
        self._visitors.check_form(session, form)
        count = self._portal.sessions.close_all_of(session.user)
        self._portal.audit.append("signed out", session.user, why="asked, everywhere", sessions=count)
        return self._signed_out()

    def _signed_in(
        self, request: Request, app: FullscriptApp, granted: GrantedTokens, invitation_id: str | None
    ) -> Response:
        reader = app.reader(FixedToken(granted.access_token))
        clinic_id = clinic_id_of(reader)
        clinic = self._portal.clinics.of_clinic_id(app.server.region, clinic_id)
        is_admitted = clinic is not None or self._connecting.admits(app.server.name, clinic_id, invitation_id)
        if not is_admitted or not granted.user_id:
            app.revoke(granted.access_token)
            self._portal.audit.append("sign-in refused", why="clinic without pages", server=app.server.name)
            return self._front(_UNKNOWN, 403)
        user = PortalUser(
            server=app.server.name,
            clinic_id=clinic_id,
            clinic_key=clinic.clinic_key if clinic else "",
            user_id=granted.user_id,
            user_type=granted.user_type or "",
            name=name_of(reader, granted),
        )
        patients = None if self._portal.configuration.shows_whole_clinic else listed_patients(reader)
        before = self._visitors.session_of(request)
        session_id = self._portal.sessions.open(
            user, token_pair(granted), patients=patients, invitation_id=invitation_id
        )
        if before is not None:
            self._portal.sessions.close(before.key)
        self._portal.audit.append("signed in", user)
        response = self._home(user)
        set_cookie(self._portal, response, self._visitors.cookie, session_id)
        drop_cookie(self._portal, response, self._visitors.sign_in_cookie)
        return response

    def _home(self, user: PortalUser) -> Response:
        """To the user's clinic, or to where it is connected."""
        clinic_key = self._portal.clinic_key_of(user)
        return RedirectResponse(f"/clinics/{clinic_key}/" if clinic_key else "/connect", 303)

    def _signed_out(self) -> Response:
        self._portal.revoke_closed()
        response = RedirectResponse("/", 303)
        drop_cookie(self._portal, response, self._visitors.cookie)
        return response

    def _front(self, message: str | None = None, status: int = 200) -> Response:
        servers = [(name, _NAMES.get(name, name)) for name in self._portal.apps]
        has_operators = self._portal.operators is not None
        return page("front.html.j2", status, servers=servers, message=message, has_operators=has_operators)
