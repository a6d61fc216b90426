"""The way back into Fullscript: plans are opened and begun there, as the user who clicks.

What does not belong here: the requests for links (`fullscript_links`), the embedded part of Fullscript (`embed_views`).
"""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.api import AuthError, FullscriptError, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.web.clinic_files import ListedPatient
from fullscript_pipeline.web.fullscript_app import FullscriptApp, SessionTokens
from fullscript_pipeline.web.fullscript_links import draft_link, new_plan_link, order_link, plan_link
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.templating import page
from fullscript_pipeline.web.visitors import NotSignedIn, Visit, Visitors

# What Fullscript answers, the status that is answered here, and what the user reads.
_FAILURES: tuple[tuple[type[FullscriptError], int, str], ...] = (
    (ScopeError, 403, "Fullscript does not let you do this from here. Do it in Fullscript itself."),
    (NotFound, 404, "Fullscript has no such plan any more: it was cancelled or removed since the last run."),
    (RequestRefused, 422, "Fullscript does not accept the request. Do it in Fullscript itself."),
    (FullscriptError, 502, "Fullscript did not answer as it should. Try again in a minute."),
)
Links = Callable[[FullscriptApp, SessionTokens], str]


class PlanViews:
    """Plans of the user's own clinic, of patients whom they may see."""

    def __init__(self, portal: Portal, visitors: Visitors) -> None:
        self._portal, self._visitors = portal, visitors

    def open(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/plans/<treatment_plan_id>/open: to the plan in Fullscript; no link is stored."""
        visit, plan_id = self._visitors.visit(request), request.path_params["treatment_plan_id"]
        patient = self._patient_of_plan(visit, plan_id)
        entrypoint = request.query_params.get("entrypoint", "catalog")
        found = self.link_of(
            visit,
            lambda app, tokens: plan_link(
                app.reader(tokens, visit.clinic.clinic_key), app.server, plan_id, entrypoint=entrypoint
            ),
        )
        return self._redirect(visit, found, "plan opened", patient)

    def new(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/plans/new: redirects to a new plan in Fullscript, for a patient chosen there."""
        visit = self._visitors.visit(request)
        found = self.link_of(
            visit, lambda app, tokens: new_plan_link(app.reader(tokens, visit.clinic.clinic_key), app.server)
        )
        return self._redirect(visit, found, "new plan opened", None)

    def order_link(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /clinics/<clinic_key>/plans/<treatment_plan_id>/order-link: the patient's link, shown once."""
        visit, plan_id = self._visitors.visit(request), request.path_params["treatment_plan_id"]
        patient = self._patient_of_plan(visit, plan_id)
        self._visitors.check_form(visit.session, form)
        found = self.link_of(
            visit, lambda app, tokens: order_link(app.reader(tokens, visit.clinic.clinic_key), plan_id)
        )
        if isinstance(found, Response):
            return found
        self._portal.audit.append("order link shown", visit.session.user, patient_id=patient.id)
        back = f"/clinics/{visit.clinic.clinic_key}/patients/{patient.file}"
        return page("order_link.html.j2", patient=patient, link=found, back=back)

    def ask_draft(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/patients/<patient_id>/draft: says what a draft does, before it is made."""
        visit, patient = self._draft_visit(request)
        return page(
            "draft.html.j2", patient=patient, form_key=self._visitors.form_key(visit.session), link=None,
            action=f"/clinics/{visit.clinic.clinic_key}/patients/{patient.file}/draft",
        )  # fmt: skip

    def draft(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST the same address: Fullscript makes the draft; the page leads to it."""
        visit, patient = self._draft_visit(request)
        self._visitors.check_form(visit.session, form)
        found = self.link_of(visit, lambda app, tokens: draft_link(app, tokens, patient.id))
        if isinstance(found, Response):
            return found
        self._portal.audit.append("draft made", visit.session.user, patient_id=patient.id)
        action = f"/clinics/{visit.clinic.clinic_key}/patients/{patient.file}/draft"
        return page("draft.html.j2", patient=patient, form_key="", link=found, action=action)

    def link_of(self, visit: Visit, request_link: Links) -> str | Response:
        """The link, or the page that says why there is none. Raises NotSignedIn where the user may not any more."""
        app = self._portal.apps[visit.session.user.server]
        tokens = app.tokens_of(self._portal.sessions, visit.session.key, self._portal.now)
        try:
            return request_link(app, tokens)
        except (AuthError, NeedsConnect):
            self._portal.sessions.close(visit.session.key)
            raise NotSignedIn from None
        except FullscriptError as problem:
            status, message = next(row[1:] for row in _FAILURES if isinstance(problem, row[0]))
            return page("message.html.j2", status, message=message)

    def _redirect(self, visit: Visit, found: str | Response, event: str, patient: ListedPatient | None) -> Response:
        if isinstance(found, Response):
            return found
        self._portal.audit.append(event, visit.session.user, patient_id=patient.id if patient else None)
        return RedirectResponse(found, 303)

    def _draft_visit(self, request: Request) -> tuple[Visit, ListedPatient]:
        """Raises NotShown where the operator did not allow drafts."""
        visit = self._visitors.visit(request)
        patient = self._visitors.patient_of(visit, request.path_params["patient_id"])
        if not self._portal.configuration.makes_drafts:
            self._visitors.refuse(visit.session, "draft")
        return visit, patient

    def _patient_of_plan(self, visit: Visit, plan_id: str) -> ListedPatient:
        """Whose plan it is. Raises NotShown."""
        patient = next((row for row in visit.clinic.patients.values() if plan_id in row.plans), None)
        if patient is None:
            self._visitors.refuse(visit.session, "plan")
        return self._visitors.patient_of(visit, patient.id)
