"""Reading one patient again on request: the button on the patient's page, and how far the request is.

The request goes into the queue, from which the daemon takes it. What does not belong here: what the daemon reads.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.portal_store import DONE, WAITING, PortalRequest
from fullscript_pipeline.web.clinic_files import ListedPatient
from fullscript_pipeline.web.language import translate_told
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.templating import page, part
from fullscript_pipeline.web.visitors import Visit, Visitors

# The daemon looks every few seconds.
_LATE_SECONDS = 60
_NOT_TAKEN = "The pipeline has not taken the request yet. If this stays, tell whoever runs this portal."


class ReadingViews:
    """For patients whom the user may see."""

    def __init__(self, portal: Portal, visitors: Visitors) -> None:
        self._portal, self._visitors = portal, visitors

    def section(self, visit: Visit, patient: ListedPatient) -> str:
        """The part of the patient's page."""
        asked = self._latest(visit, patient)
        return part(
            "read_again.html.j2",
            action=_address(visit, patient),
            form_key=self._visitors.form_key(visit.session),
            asked=asked,
            read_at=self._time(asked) if asked and asked.state == DONE else None,
        )

    def ask(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /clinics/<clinic_key>/patients/<patient_id>/read: the request goes into the queue."""
        visit = self._visitors.visit(request)
        patient = self._visitors.patient_of(visit, request.path_params["patient_id"])
        self._visitors.check_form(visit.session, form)
        user = visit.session.user
        if not self._portal.limits.readings.allows(f"{user.server} {user.user_id}"):
            return page("message.html.j2", 429, message="You have asked very often. Wait a few minutes.")
        self._portal.requests.ask_to_read(user.server, user.clinic_id, patient.id)
        self._portal.audit.append("reading requested", user, patient_id=patient.id)
        return RedirectResponse(_address(visit, patient), 303)

    def show(self, request: Request) -> Response:
        """GET of the same address: shows how far the request is, and the patient's page when it is done."""
        visit = self._visitors.visit(request)
        patient = self._visitors.patient_of(visit, request.path_params["patient_id"])
        asked = self._latest(visit, patient)
        if asked is None or asked.state == DONE:
            return RedirectResponse(_address(visit, patient).removesuffix("/read"), 303)
        return page(
            "reading.html.j2",
            patient=patient,
            asked=asked,
            action=_address(visit, patient),
            form_key=self._visitors.form_key(visit.session),
            progress=translate_told(self._progress(asked)),
        )

    def _latest(self, visit: Visit, patient: ListedPatient) -> PortalRequest | None:
        user = visit.session.user
        return self._portal.requests.latest(user.server, user.clinic_id, patient.id)

    def _progress(self, asked: PortalRequest) -> str:
        if asked.state != WAITING:
            return asked.sentence or "Fullscript is being read."
        waited = self._portal.now() - asked.asked_s
        return _NOT_TAKEN if waited > _LATE_SECONDS else "The pipeline takes the request in a few seconds."

    def _time(self, asked: PortalRequest) -> str:
        zone = self._portal.configuration.time_zone
        return datetime.fromtimestamp(asked.changed_s, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _address(visit: Visit, patient: ListedPatient) -> str:
    return f"/clinics/{visit.clinic.clinic_key}/patients/{patient.file}/read"
