"""The authorize page: who connects to which app, and whether they approve.

A `login` in the query approves at once for that user; `deny` refuses. A link of the demo signs a browser in first, as
somebody who has Fullscript open already. What does not belong here: codes and tokens (`oauth`).
"""

from html import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fullscript_pipeline.sandbox.http_replies import page_answer, redirect_answer
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.store import PORTAL
from fullscript_pipeline.sandbox.word_lists import REGIONS
from fullscript_pipeline.sandbox.world import SandboxClinic

ANSWERS = ("login", "deny", "consent")
# Who is signed in here, until the portal asks: it is asked once, and a second sign-in chooses again.
_SIGNED_IN = "sandbox_login"
_UNKNOWN_APP = (
    "<p>There is no application with this client_id and redirect_uri here. A sandbox knows the redirect URIs that it "
    "was started with: start <code>sandbox serve</code> again with FULLSCRIPT_REDIRECT_URI or FULLSCRIPT_WEB_URL set "
    "to the one that is wanted."
)


class Consent:
    """The authorize page of both servers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def sign_in(self, request: Request) -> Response:
        """Signs this browser in as the user of `login`, and opens the portal's own sign-in."""
        server, login = request.path_params["server"], request.query_params.get("login", "")
        if not self._is_user(server, login):
            return _no_user()
        portal = self.sandbox.state.settings.portal_redirect_uri.removesuffix("/callback")
        answer = RedirectResponse(f"{portal}/signin/{server}", 302)
        answer.set_cookie(_SIGNED_IN, login, max_age=600, path=f"/{server}", httponly=True, samesite="lax")
        return answer

    async def authorize(self, request: Request) -> Response:
        """Redirects with a code for `login`, or for the only clinic left unless `consent` is set; or shows the page.

        Who signs in to the portal always chooses, unless a link of the demo has signed them in (`sign_in`).

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
        signed_in = request.cookies.get(_SIGNED_IN) if app == PORTAL and "consent" not in params else None
        if (login := params.get("login", signed_in)) is None:
            waiting = [slug for slug in here if not self.sandbox.oauth.connected(slug)]
            if app == PORTAL or len(waiting) != 1 or "consent" in params:
                return self._consent_page(request, list(here.values()))
            login = waiting[0]
        if not self._is_user(server, login):
            return _no_user()
        slug, _, user = login.partition("/")
        answer = redirect_answer(uri, {"code": self.sandbox.oauth.approve(server, slug, user, app=app)} | back)
        answer.delete_cookie(_SIGNED_IN, path=f"/{server}")
        return answer

    def _is_user(self, server: str, login: str) -> bool:
        slug, _, user = login.partition("/")
        clinic = self.sandbox.world.clinics.get(slug)
        return clinic is not None and clinic.server == server and clinic.user(user) is not None

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


def _no_user() -> Response:
    return page_answer("<p>There is no user with this login on this server.", 404)


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
