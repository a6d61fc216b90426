"""What somebody who is signed in sees of their clinic: the list of patients, and the pages of the last run.

What does not belong here: signing in (`signing_in`), who a request is of (`visitors`).
"""

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.web.clinic_files import ListedPatient, fold
from fullscript_pipeline.web.embed_views import EmbedViews
from fullscript_pipeline.web.note_views import NoteViews
from fullscript_pipeline.web.operator_views import OperatorViews
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.reading_views import ReadingViews
from fullscript_pipeline.web.templating import page, part, with_bar
from fullscript_pipeline.web.visitors import Visit, Visitors

_ROWS = 60
_LONGEST_QUERY = 100
_FIRST = "index.html"


@dataclass(frozen=True, kw_only=True)
class PatientFilter:
    """What the list of patients is narrowed to. `only`: `calls`, `set-aside` or `everybody`."""

    query: str
    words: Sequence[str]
    practitioner: str
    only: str
    number: int

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "PatientFilter":
        number, query = fields.get("page", "1"), fields.get("q", "")[:_LONGEST_QUERY].strip()
        return cls(
            query=query,
            words=fold(query).split(),
            practitioner=fields.get("practitioner", ""),
            only=fields.get("only", "calls"),
            number=max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 6 else 1,
        )

    def admits(self, patient: ListedPatient, *, is_set_aside: bool) -> bool:
        if self.only == "calls" and (patient.call is None or is_set_aside):
            return False
        if self.only == "set-aside" and not is_set_aside:
            return False
        if self.practitioner and self.practitioner not in patient.practitioner_ids:
            return False
        return patient.matches(self.words)


class ClinicViews:
    """The pages of one clinic, for its own users, and for operators who may see patients."""

    def __init__(
        self,
        portal: Portal,
        visitors: Visitors,
        *,
        notes: NoteViews,
        reading: ReadingViews,
        embed: EmbedViews,
        operators: OperatorViews,
    ) -> None:
        self._portal, self._visitors, self._operators = portal, visitors, operators
        self._notes, self._reading, self._embed = notes, reading, embed

    def patients(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/: whom to contact; the address never holds what somebody searches."""
        chosen = {name: text for name, text in request.query_params.items() if name != "q"}
        return self._list(self._visitors.look(request), PatientFilter.of(chosen))

    def search(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /clinics/<clinic_key>/: the same list, narrowed."""
        visit = self._visitors.look(request)
        self._visitors.check_form(visit.session, form)
        return self._list(visit, PatientFilter.of(form))

    def _list(self, visit: Visit, wanted: PatientFilter) -> Response:
        visible, today = self._portal.sessions.visible(visit.session), self._portal.today()
        states = {} if visit.is_operators else self._portal.notes.states(visit.session.user)
        aside = {patient_id for patient_id, state in states.items() if state.is_set_aside(today)}
        theirs = [row for row in visit.clinic.patients.values() if visible is None or row.id in visible]
        found = [row for row in theirs if wanted.admits(row, is_set_aside=row.id in aside)]
        if wanted.only == "calls":
            found.sort(key=lambda row: -row.call.days if row.call else 0)
        rows = found[(wanted.number - 1) * _ROWS : wanted.number * _ROWS]
        self._portal.audit.append("list shown", visit.session.user, rows=len(rows))
        return page(
            "patients.html.j2",
            bar=self._bar(visit),
            clinic=visit.clinic,
            wanted=wanted,
            rows=rows,
            states=states,
            aside=aside,
            found=len(found),
            pages=max(1, -(-len(found) // _ROWS)),
            form_key=self._visitors.form_key(visit.session),
            sees_everybody=visit.clinic.are_all(visible),
        )

    def patient(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/patients/<patient_id>: the patient's page of the last run."""
        visit = self._visitors.look(request)
        patient = self._visitors.patient_of(visit, request.path_params["patient_id"])
        path = visit.clinic.patient_page(patient)
        self._portal.audit.append("patient shown", visit.session.user, patient_id=patient.id)
        bar = self._bar(visit, patient)
        notes = ""
        if not visit.is_operators:
            notes = self._notes.section(visit, patient) + self._reading.section(visit, patient)
        if path is None:
            return page("no_page.html.j2", bar=bar, patient=patient, notes=notes)
        return with_bar(self._html(path), bar, notes)

    def file(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/<path>: a list of the last run, or a spreadsheet; for who may see everybody."""
        visit, sees_everybody = self._visitors.look(request), False
        path = visit.clinic.list_page(request.path_params["path"])
        if path is not None and not (sees_everybody := self._visitors.sees_everybody(visit)) and path.name == _FIRST:
            # Every patient's page links to it.
            return RedirectResponse(f"/clinics/{visit.clinic.clinic_key}/", 303)
        if path is None or not sees_everybody:
            self._visitors.refuse(visit.session, "list")
        if path.suffix != ".html":
            self._portal.audit.append("file downloaded", visit.session.user, file=path.suffix)
            return self._download(path)
        self._portal.audit.append("list shown", visit.session.user, file=path.suffix)
        return with_bar(self._html(path), self._bar(visit))

    def catalog(self, request: Request) -> Response:
        """GET /catalog/<region>/<path>: digests, brands and products; they name no patient.

        A clinician's are of the clinic's region.
        """
        session, region = self._visitors.require_session(request), request.path_params["region"]
        visit = None if session.is_operator else self._visitors.own_clinic(request, session)
        path = self._portal.clinics.catalog_page(region, request.path_params["path"])
        if path is None or (visit is not None and region != visit.clinic.region):
            self._visitors.refuse(session, "catalog")
        if path.suffix != ".html":
            return self._download(path)
        return with_bar(self._html(path), self._bar(visit) if visit else self._operators.bar(session))

    def index(self, request: Request) -> Response:
        """GET /index.html: pages link to the list of all clinics, which the portal shows nobody."""
        session = self._visitors.require_session(request)
        if session.is_operator:
            return RedirectResponse("/operators/", 303)
        return RedirectResponse(f"/clinics/{self._visitors.own_clinic(request, session).clinic.clinic_key}/", 303)

    def _html(self, path: PurePosixPath) -> str:
        return self._portal.clinics.read(path).decode("utf-8", "replace")

    def _download(self, path: PurePosixPath) -> Response:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = {"Content-Disposition": f'attachment; filename="{path.name}"'}
        return Response(self._portal.clinics.read(path), headers=headers, media_type=kind)

    def _bar(self, visit: Visit, patient: ListedPatient | None = None) -> str:
        if visit.is_operators:
            return self._operators.bar(visit.session)
        plans: Sequence[str] = patient.plans if patient else ()
        return part(
            "bar.html.j2",
            user=visit.session.user,
            clinic=visit.clinic,
            form_key=self._visitors.form_key(visit.session),
            patient=patient,
            plans=plans,
            offers_embed=self._embed.is_offered(visit),
            offers_drafts=self._portal.configuration.makes_drafts,
        )
