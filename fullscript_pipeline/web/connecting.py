"""Connecting a clinic that has no pages yet: `/connect`, for a user who has signed in and was admitted.

A second authorization follows, of the pipeline's own app. Its code goes into the queue of requests, from which the
daemon takes it; the portal has no secret of that app and never exchanges the code. What does not belong here: signing
in (`signing_in`), what the daemon does.
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.api import AuthError, FullscriptError, authorize_url
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.portal_store import DONE, FAILED, WAITING, InvitationUsed, PortalRequest
from fullscript_pipeline.web.cookies import set_cookie
from fullscript_pipeline.web.fullscript_app import FullscriptApp, listed_patients
from fullscript_pipeline.web.language import translate, translate_told
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.sessions import PortalSession, PortalUser
from fullscript_pipeline.web.sign_ins import CONNECTION, SIGN_IN_SECONDS
from fullscript_pipeline.web.templating import page
from fullscript_pipeline.web.visitors import NotShown, NotSignedIn, Visitors

# The daemon looks every few seconds.
_LATE_SECONDS = 60
_USED = "This invitation was used already. Ask for a new one."
_NOT_TAKEN = "The pipeline has not taken the request yet. If this stays, tell whoever runs this portal."


class Connecting:
    """The way of a new clinic aboard."""

    def __init__(self, portal: Portal, visitors: Visitors) -> None:
        self._portal, self._visitors = portal, visitors

    def admits(self, server: str, clinic_id: str, invitation_id: str | None) -> bool:
        """Whether this clinic, which has no pages, may be connected here, or is being connected."""
        if server not in self._portal.configuration.connecting_client_ids:
            return False
        if clinic_id in self._portal.configuration.admitted_clinics:
            return True
        if self._portal.requests.latest(server, clinic_id) is not None:
            return True
        return invitation_id is not None and not self._portal.requests.is_used(invitation_id)

    def show(self, request: Request) -> Response:
        """GET /connect: the offer, how far it is, or the way to the clinic's pages."""
        session = self._visitors.require_clinician(request)
        user = session.user
        clinic_key = self._portal.clinic_key_of(user)
        asked = self._portal.requests.latest(user.server, user.clinic_id)
        if clinic_key is not None and (asked is None or not asked.is_open):
            return RedirectResponse(f"/clinics/{clinic_key}/", 303)
        self._require_admitted(session)
        is_offered = asked is None or asked.state == FAILED
        return page(
            "connect.html.j2",
            user=user,
            form_key=self._visitors.form_key(session),
            asked=asked,
            progress=translate_told(self._progress(asked)) if asked else "",
            is_offered=is_offered,
            warning=self._warning(session) if is_offered else None,
        )

    def begin(self, request: Request) -> Response:
        """GET /connect/begin: to Fullscript, to approve the pipeline's own app."""
        session = self._visitors.require_clinician(request)
        self._require_admitted(session)
        configuration, name = self._portal.configuration, session.user.server
        server = replace(self._app(session.user).server, client_id=configuration.connecting_client_ids[name])
        begun = self._portal.sign_ins.begin(name, CONNECTION, invitation_id=session.invitation_id)
        response = RedirectResponse(authorize_url(server, configuration.redirect_uri, begun.state), 303)
        set_cookie(self._portal, response, self._visitors.sign_in_cookie, begun.browser, seconds=SIGN_IN_SECONDS)
        return response

    def pass_on(self, request: Request, code: str) -> Response:
        """The callback of the second authorization: the code goes into the queue, and the page shows how far it is."""
        session = self._visitors.require_clinician(request)
        self._require_admitted(session)
        user, is_listed = session.user, session.user.clinic_id in self._portal.configuration.admitted_clinics
        try:
            self._portal.requests.ask_to_connect(
                user.server, user.clinic_id, code=code, invitation_id=None if is_listed else session.invitation_id
            )
        except InvitationUsed:
            return page("message.html.j2", 403, message=_USED)
        self._portal.audit.append("connection requested", user)
        return RedirectResponse("/connect", 303)

    def _require_admitted(self, session: PortalSession) -> None:
        if not self.admits(session.user.server, session.user.clinic_id, session.invitation_id):
            self._visitors.refuse(session, "connect")

    def _progress(self, asked: PortalRequest) -> str:
        if asked.state == WAITING:
            waited = self._portal.now() - asked.asked_s
            return _NOT_TAKEN if waited > _LATE_SECONDS else "The pipeline takes the request in a few seconds."
        if asked.state == DONE:
            return asked.sentence or "The clinic is read."
        return asked.sentence or "The pipeline is connecting the clinic."

    def _warning(self, session: PortalSession) -> str | None:
        """Fullscript does not say who owns a clinic: an owner is a practitioner who sees every patient of it."""
        if session.user.user_type != "Practitioner":
            return translate("You are signed in as staff.")
        app = self._app(session.user)
        reader = app.reader(app.tokens_of(self._portal.sessions, session.key, self._portal.now))
        try:
            count = reader.fetch_object("clinic").record.get("patient_count")
            visible = self._portal.sessions.visible(session)
            seen = len(listed_patients(reader) if visible is None else visible)
        except (AuthError, NeedsConnect):
            raise NotSignedIn from None
        except FullscriptError:
            return translate("How many patients of the clinic you see could not be read.")
        if not isinstance(count, int) or seen >= count:
            return None
        return translate("You see {seen} of the clinic's {count} patients.", seen=seen, count=count)

    def _app(self, user: PortalUser) -> FullscriptApp:
        app = self._portal.apps.get(user.server)
        if app is None:
            raise NotShown
        return app
