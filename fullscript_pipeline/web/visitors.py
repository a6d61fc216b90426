"""Who sends a request: the open session of its cookie, which clinic it is about, and whom it may see.

What does not belong here: signing in and out (`signing_in`), what is shown.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from starlette.requests import Request

from fullscript_pipeline.web.clinic_files import ClinicFiles, ListedPatient
from fullscript_pipeline.web.confirmation import confirm_session
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.sessions import PortalSession

CSRF_FIELD = "form_key"


class NotSignedIn(Exception):
    """The request has no open session."""


class NotShown(Exception):
    """There is no such thing for this user; they cannot tell whether there is one for somebody else."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request of somebody who is signed in, about their own clinic; an operator's is about any.

    An operator's session names the clinic as its user's, so that the audit log has it.
    """

    session: PortalSession
    clinic: ClinicFiles
    is_operators: bool = False


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
        return confirm_session(self._portal, session) if session else None

    def require_session(self, request: Request) -> PortalSession:
        """Anybody's who is signed in. Raises NotSignedIn."""
        if (session := self.session_of(request)) is None:
            raise NotSignedIn
        return session

    def require_clinician(self, request: Request) -> PortalSession:
        """Raises NotSignedIn, or NotShown for an operator."""
        session = self.require_session(request)
        if session.is_operator:
            self.refuse(session, "clinic")
        return session

    def require_operator(self, request: Request) -> PortalSession:
        """Raises NotSignedIn, or NotShown for a clinician."""
        session = self.require_session(request)
        if not session.is_operator:
            self.refuse(session, "operators")
        return session

    def visit(self, request: Request) -> Visit:
        """A clinician's. Raises NotSignedIn, or NotShown for an operator or an address that names another clinic."""
        return self.own_clinic(request, self.require_clinician(request))

    def look(self, request: Request) -> Visit:
        """A clinician's, or that of an operator who may see patients: for what only shows. Raises as `visit`."""
        session = self.require_session(request)
        if not session.is_operator:
            return self.own_clinic(request, session)
        clinic = self._portal.clinics.of_clinic_key(request.path_params["clinic_key"])
        if clinic is None or not session.sees_everybody:
            self.refuse(session, "clinic")
        servers = self._portal.configuration.servers.items()
        server = next((name for name, server in servers if server.region == clinic.region), session.user.server)
        user = replace(session.user, server=server, clinic_id=clinic.clinic_id, clinic_key=clinic.clinic_key)
        return Visit(session=replace(session, user=user), clinic=clinic, is_operators=True)

    def own_clinic(self, request: Request, session: PortalSession) -> Visit:
        """A clinician's visit. Raises NotShown for an address that names another clinic."""
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
        return visit.clinic.are_all(self._portal.sessions.visible(visit.session))

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
