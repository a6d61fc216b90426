"""The authorize page: who connects to which app, and whether they approve.

A `login` in the query approves at once for that user; `deny` refuses. What does not belong here: codes and tokens
(`oauth`).
"""

from html import escape

from starlette.requests import Request
from starlette.responses import Response

from fullscript_pipeline.sandbox.http_replies import page_answer, redirect_answer
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.store import PORTAL
from fullscript_pipeline.sandbox.word_lists import REGIONS
from fullscript_pipeline.sandbox.world import SandboxClinic

ANSWERS = ("login", "deny", "consent")
_UNKNOWN_APP = (
    "<p>There is no application with this client_id and redirect_uri here. A sandbox knows the redirect URIs that it "
    "was started with: start <code>sandbox serve</code> again with FULLSCRIPT_REDIRECT_URI or FULLSCRIPT_WEB_URL set "
    "to the one that is wanted."
)


class Consent:
    """The authorize page of both servers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def authorize(self, request: Request) -> Response:
        """Redirects with a code for `login`, or for the only clinic left unless `consent` is set; or shows the page.

        Who signs in to the portal always chooses.

        `login` is a clinic's slug (its owner), or slug/practitioner-2 or slug/staff-1 for another user.
        """
        server, params = request.path_params["server"], request.query_params
        app = (
            self.sandbox.oauth.app(server, params.get("client_id"), params.get("redirect_uri"))
            if server in REGIONS
            else None
        )
        if app is None:
            return page_answer(_UNKNOWN_APP, 404)
        back: dict[str, str] = {key: params[key] for key in ("state",) if key in params}
        uri = params["redirect_uri"]
        if params.get("response_type") != "code":
            return redirect_answer(uri, {"error": "unsupported_response_type"} | back)
        if "deny" in params:
            return redirect_answer(uri, {"error": "access_denied"} | back)
        here = {slug: clinic for slug, clinic in self.sandbox.world.clinics.items() if clinic.server == server}
        if (login := params.get("login")) is None:
            waiting = [slug for slug in here if not self.sandbox.oauth.connected(slug)]
            if app == PORTAL or len(waiting) != 1 or "consent" in params:
                return self._consent_page(request, list(here.values()))
            login = waiting[0]
        slug, _, user = login.partition("/")
        if slug not in here or here[slug].user(user) is None:
            return page_answer("<p>There is no user with this login on this server.", 404)
        return redirect_answer(uri, {"code": self.sandbox.oauth.approve(server, slug, user, app=app)} | back)

    def _consent_page(self, request: Request, clinics: list[SandboxClinic]) -> Response:
        hidden_inputs = "".join(
            f'<input type=hidden name="{escape(key)}" value="{escape(text)}">'
            for key, text in request.query_params.multi_items()
            if key not in ANSWERS
        )
        scopes = "".join(
            f"<li><code>{escape(scope)}</code></li>" for scope in self.sandbox.state.settings.scopes.split()
        )
        people = "".join(_buttons(clinic) for clinic in clinics)
        return page_answer(
            f"<h1>An application asks for access</h1><p>It would be allowed:</p><ul>{scopes}</ul>"
            f"<form method=get>{hidden_inputs}<p>Who authorizes it?</p><ul>{people}</ul>"
            "<button name=deny value=1>Cancel</button></form>"
        )


def _buttons(clinic: SandboxClinic) -> str:
    logins = {clinic.slug: "the owner"}
    logins |= {
        f"{clinic.slug}/practitioner-{number}": f"practitioner {number}"
        for number in range(2, len(clinic.practitioners) + 1)
    }
    logins |= {f"{clinic.slug}/staff-{number}": f"staff {number}" for number in range(1, len(clinic.staff) + 1)}
    buttons = " ".join(
        f'<button name=login value="{login}">Authorize as {who}</button>' for login, who in logins.items()
    )
    return f"<li>{escape(clinic.info['name'])}: {buttons}</li>"
