"""What operators see: how current each clinic and catalog is, what every check finds, the way to catalogs and clinics.

Nothing here is about a patient. What does not belong here: signing in (`operator_sign_in`), pages of clinics
(`clinic_views`).
"""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from fullscript_pipeline.web.operators_file import read_overview
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.sessions import PortalSession
from fullscript_pipeline.web.templating import page, part
from fullscript_pipeline.web.visitors import Visitors

# The daily pull is missed by then, as `doctor` has it.
_LATE_HOURS = 36


class OperatorViews:
    """For whoever signed in at the OpenID provider."""

    def __init__(self, portal: Portal, visitors: Visitors) -> None:
        self._portal, self._visitors = portal, visitors

    def overview(self, request: Request) -> Response:
        """GET /operators/: coverage and health."""
        session = self._visitors.require_operator(request)
        clinics = self._portal.clinics
        self._portal.audit.append("overview shown", session.user)
        return page(
            "operators.html.j2",
            bar=self.bar(session),
            overview=read_overview(self._portal.configuration.pages, clinics.seal),
            with_pages=clinics.keys() if session.sees_everybody else frozenset(),
            regions=clinics.catalog_regions(),
            hours=self._hours_since,
            late=_LATE_HOURS,
            time=self._time,
        )

    def bar(self, session: PortalSession) -> str:
        """What is above every page that an operator sees."""
        return part(
            "operator_bar.html.j2",
            user=session.user,
            form_key=self._visitors.form_key(session),
            regions=self._portal.clinics.catalog_regions(),
        )

    def _hours_since(self, moment: datetime) -> int:
        return int((datetime.fromtimestamp(self._portal.now(), UTC) - moment).total_seconds() // 3600)

    def _time(self, moment: datetime) -> str:
        return moment.astimezone(self._portal.configuration.time_zone).strftime("%Y-%m-%d %H:%M")
