"""Notes of a patient: the form and the history on the patient's page, and what a sent form does.

What does not belong here: where notes are stored (`notes`).
"""

from collections.abc import Mapping
from datetime import date

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.web.clinic_files import ListedPatient
from fullscript_pipeline.web.language import translate
from fullscript_pipeline.web.notes import BACK, CALLED, KINDS, LONGEST_TEXT, SET_ASIDE, TEXT, ContactState
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.templating import page, part
from fullscript_pipeline.web.visitors import Visit, Visitors

_WORDS = {CALLED: "Called", SET_ASIDE: "Set aside", BACK: "Back on the list", TEXT: "Note"}


class NoteViews:
    """For patients whom the user may see."""

    def __init__(self, portal: Portal, visitors: Visitors) -> None:
        self._portal, self._visitors = portal, visitors

    def section(self, visit: Visit, patient: ListedPatient) -> str:
        """The part of the patient's page."""
        today = self._portal.today()
        history = self._portal.notes.of_patient(visit.session.user, patient.id)
        state = ContactState.of(history)
        return part(
            "notes.html.j2",
            action=f"/clinics/{visit.clinic.clinic_key}/patients/{patient.file}/notes",
            form_key=self._visitors.form_key(visit.session),
            history=history,
            words=_WORDS,
            set_aside=state.set_aside if state.is_set_aside(today) else None,
            today=today.isoformat(),
            zone=self._portal.configuration.time_zone,
            longest=LONGEST_TEXT,
        )

    def add(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /clinics/<clinic_key>/patients/<patient_id>/notes: stores one entry, then shows the page again."""
        visit = self._visitors.visit(request)
        patient = self._visitors.patient_of(visit, request.path_params["patient_id"])
        self._visitors.check_form(visit.session, form)
        kind, text = form.get("kind", ""), form.get("text", "").strip()
        until = _day(form.get("until", "")) if kind == SET_ASIDE else None
        if problem := _problem(kind, text, until, self._portal.today()):
            return page("message.html.j2", 422, message=problem, advice="Go back to the page.")
        self._portal.notes.add(visit.session.user, patient.id, kind=kind, until=until, text=text)
        self._portal.audit.append("note added", visit.session.user, patient_id=patient.id, kind=kind)
        return RedirectResponse(f"/clinics/{visit.clinic.clinic_key}/patients/{patient.file}#notes", 303)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _problem(kind: str, text: str, until: date | None, today: date) -> str | None:
    """Why a form cannot be stored; None: it can."""
    if kind not in KINDS:
        return "Choose what to note."
    if kind == SET_ASIDE and (until is None or until <= today):
        return "Choose a day after today until which the patient is set aside."
    if kind == TEXT and not text:
        return "The note is empty."
    if len(text) > LONGEST_TEXT:
        return translate("The note is longer than {count} characters.", count=LONGEST_TEXT)
    return None
