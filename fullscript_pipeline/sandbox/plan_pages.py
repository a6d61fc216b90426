"""The pages that a link into Fullscript opens: they say which plan, for which user, and at which entry point.

A link works again and again in this world. What does not belong here: who is given a link (`responses.clinic`).
"""

from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullscript_pipeline.sandbox.http_replies import page_answer
from fullscript_pipeline.sandbox.instance import Sandbox


class PlanPages:
    """Pages that stand in for those of Fullscript's web application."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        """One route for every kind of link."""
        return [Route("/{server}/dynamic/treatment_plans/{what:path}", self.page, methods=["GET"])]

    async def page(self, request: Request) -> Response:
        """A page that names the linked plan; 404 for a plan that this world does not have."""
        plan, _, entrypoint = request.path_params["what"].partition("/")
        here = [clinic for clinic in self.sandbox.world.clinics.values() if plan in clinic.plans]
        if plan not in {"new", "draft"} and not here:
            return page_answer("<p>There is no such treatment plan.", 404)
        what = f"Treatment plan {plan}" if here else "A new treatment plan"
        user = f"{request.query_params.get('user_type', '')} {request.query_params.get('user_id', '')}"
        return page_answer(
            f"<h1>Fullscript (sandbox)</h1><p>{escape(what)}, opened at {escape(entrypoint or 'catalog')} "
            f"by {escape(user)}.</p>"
        )
