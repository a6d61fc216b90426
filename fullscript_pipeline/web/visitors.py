"""Who sends a request: the open session of its cookie, confirmed by Fullscript every ten minutes, and whom it may see.

What does not belong here: signing in and out (`signing_in`), what is shown.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from starlette.requests import Request

from fullscript_pipeline.api import AuthError, FullscriptError, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.web.clinic_files import ClinicFiles, ListedPatient
from fullscript_pipeline.web.fullscript_app import clinic_id_of
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.sessions import PortalSession

CHECK_SECONDS = 600
# A user whom Fullscript could not confirm for this long is signed out.
UNCONFIRMED_SECONDS = 900
CSRF_FIELD = "form_key"


class NotSignedIn(Exception):
    """The request has no open session."""


class NotShown(Exception):
    """There is no such thing for this user; they cannot tell whether there is one for somebody else."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request of somebody who is signed in, about their own clinic."""

    session: PortalSession
    clinic: ClinicFiles


class Visitors:
    """Finds the visit of a request."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        configuration = portal.configuration
        port = configuration.host.rpartition(":")[2]
        # Cookies know no ports: two portals of this machine must not overwrite each other's.
        self.cookie = "__Host-portal" if configuration.is_https else f"portal_{port}"
        self.sign_in_cookie = f"{self.cookie}_signin"

    def session_of(self, request: Request) -> PortalSession | None:
        """The open session; None: nobody is signed in (any more)."""
        session_id = request.cookies.get(self.cookie)
        session = self._portal.sessions.find(session_id) if session_id else None
        return session if session and self._is_confirmed(session) else None

    def require_session(self, request: Request) -> PortalSession:
        """Raises NotSignedIn."""
        if (session := self.session_of(request)) is None:
            raise NotSignedIn
        return session

    def visit(self, request: Request) -> Visit:
        """Raises NotSignedIn, or NotShown for an address that names another clinic."""
        session = self.require_session(request)
        region = self._portal.configuration.servers[session.user.server].region
        clinic = self._portal.clinics.of_clinic_id(region, session.user.clinic_id)
        if clinic is None or request.path_params.get("clinic_key", clinic.clinic_key) != clinic.clinic_key:
            self.refuse(session, "clinic")
        return Visit(session=session, clinic=clinic)

    def patient_of(self, visit: Visit, named: str) -> ListedPatient:
        """The patient of this id or page, whom the user may see. Raises NotShown."""
        patient = visit.clinic.patient(named)
        if patient is None or not self._portal.sessions.may_see(visit.session, patient.id):
            self.refuse(visit.session, "patient")
        return patient

    def sees_everybody(self, visit: Visit) -> bool:
        """Whether the user may see every patient of the clinic's pages."""
        visible = self._portal.sessions.visible(visit.session)
        return visible is None or visible >= visit.clinic.patients.keys()

    def refuse(self, session: PortalSession, what: str) -> NoReturn:
        """Records that something was not shown. Raises NotShown."""
        self._portal.audit.append("refused", session.user, what=what)
        raise NotShown

    def form_key(self, session: PortalSession) -> str:
        """What every form of this session holds: another site cannot know it."""
        return self._portal.digests.of("form", session.key)

    def check_form(self, session: PortalSession, form: Mapping[str, str]) -> None:
        """Raises NotShown for a form that no page of this session sent."""
        if not hmac.compare_digest(form.get(CSRF_FIELD, "").encode(), self.form_key(session).encode()):
            self.refuse(session, "form")

    def _is_confirmed(self, session: PortalSession) -> bool:
        """Whether the user may still sign in at Fullscript, as of the last ten minutes; if not, the session ends."""
        age = self._portal.now() - session.checked_s
        if age < CHECK_SECONDS:
            return True
        app = self._portal.apps.get(session.user.server)
        if app is None:
            return False
        tokens = app.tokens_of(self._portal.sessions, session.key, self._portal.now)
        try:
            is_same = clinic_id_of(app.reader(tokens, session.user.clinic_key)) == session.user.clinic_id
        except (AuthError, ScopeError, NeedsConnect):
            is_same = False
        except FullscriptError:
            if age < UNCONFIRMED_SECONDS:
                return True
            is_same = False
        if is_same:
            self._portal.sessions.record_check(session.key)
            return True
        self._portal.sessions.close(session.key)
        self._portal.audit.append("signed out", session.user, why="Fullscript does not confirm the user")
        return False
