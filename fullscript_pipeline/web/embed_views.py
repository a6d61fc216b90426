"""The embedded part of Fullscript beside a patient, on servers whose embed key is set.

The vendor's own script, served by us, makes the frame; the grant that signs the user in is made at the click. What does
not belong here: the request for the grant (`fullscript_links`).
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fullscript_pipeline.web.fullscript_links import session_grant
from fullscript_pipeline.web.gate import POLICY
from fullscript_pipeline.web.plan_views import PlanViews
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.templating import page
from fullscript_pipeline.web.visitors import Visit, Visitors


class EmbedViews:
    """For patients whom the user may see."""

    def __init__(self, portal: Portal, visitors: Visitors, plans: PlanViews) -> None:
        self._portal, self._visitors, self._plans = portal, visitors, plans

    def is_offered(self, visit: Visit) -> bool:
        return self._portal.configuration.servers[visit.session.user.server].embed_public_key is not None

    def panel(self, request: Request) -> Response:
        """GET /clinics/<clinic_key>/patients/<patient_id>/embed: the page with the panel; nothing is requested yet."""
        visit = self._embedding_visit(request)
        patient = self._visitors.patient_of(visit, request.path_params["patient_id"])
        server = self._portal.configuration.servers[visit.session.user.server]
        here = f"/clinics/{visit.clinic.clinic_key}"
        response = page(
            "embed.html.j2",
            patient=patient,
            server=server,
            here=here,
            back=f"{here}/patients/{patient.file}",
            form_key=self._visitors.form_key(visit.session),
        )
        # Fullscript's frame checks where it is shown; no other page of the portal sends its origin.
        response.headers["Referrer-Policy"] = "origin"
        response.headers["Content-Security-Policy"] = (
            POLICY.replace("connect-src 'self'", f"connect-src 'self' {server.embed_url}")
            + f"; frame-src {server.embed_url}"
        )
        return response

    def grant(self, request: Request, form: Mapping[str, str]) -> Response:
        """POST /clinics/<clinic_key>/embed-grant: signs the user in to the frame, once, within two minutes."""
        visit = self._embedding_visit(request)
        self._visitors.check_form(visit.session, form)
        found = self._plans.link_of(visit, session_grant)
        if isinstance(found, Response):
            return found
        self._portal.audit.append("embedding granted", visit.session.user)
        return JSONResponse({"secret_token": found})

    def _embedding_visit(self, request: Request) -> Visit:
        """Raises NotShown where the server has no embed key."""
        visit = self._visitors.visit(request)
        if not self.is_offered(visit):
            self._visitors.refuse(visit.session, "embed")
        return visit
