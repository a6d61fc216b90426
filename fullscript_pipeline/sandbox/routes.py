"""The HTTP face of the API: authorize page, token calls, bearer checks, envelopes and error bodies.

Every error is JSON except the authorize page's, which a person reads. What does not belong here: what an endpoint
answers (`endpoints`), and the control plane (`control`).
"""

from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from fullscript_pipeline.sandbox.answers import Call, Detail, MissingScopeError, NotFoundError
from fullscript_pipeline.sandbox.endpoints import Endpoint, find_endpoint
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.ledger import Counted, template_of
from fullscript_pipeline.sandbox.oauth import RefusalError, token_answer
from fullscript_pipeline.sandbox.pages import BadParameterError, page_of
from fullscript_pipeline.sandbox.store import TokenPair
from fullscript_pipeline.sandbox.vocabulary import REGIONS
from fullscript_pipeline.sandbox.world import Clinic

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def json_answer(body: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def error_answer(status: int, *sentences: str) -> Response:
    """An error in the documented shape: a list of sentences for 422, one sentence otherwise."""
    return json_answer({"error": list(sentences) if status == 422 else sentences[0]}, status)


class Api:
    """Both servers of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        """The routes of both servers, under `/us-snd` and `/ca-snd`."""
        return [
            Route("/{server}/oauth/authorize", self.authorize, methods=["GET"]),
            Route("/{server}/api/oauth/authorize", self.authorize, methods=["GET"]),
            Route("/{server}/api/oauth/token", self.token, methods=["POST"]),
            Route("/{server}/api/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/{server}/api/{path:path}", self.api, methods=list(METHODS)),
        ]

    async def api(self, request: Request) -> Response:
        """Answers everything below an API base but OAuth, and counts it."""
        server, path = request.path_params["server"], "/" + request.path_params["path"]
        found = find_endpoint(path) if server in REGIONS else None
        reading = request.method in {"GET", "HEAD"}
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token if scheme.lower() == "bearer" else ""
        response = self._answer(request, server, found, token) if reading else _refuse_write(server)
        endpoint = found[0].path if found else template_of(path)
        url = f"{server}{path}?{request.url.query}" if reading else ""
        self.sandbox.ledger.note(
            Counted(server, request.method, endpoint, response.status_code),
            token=token,
            day=self.sandbox.state.day.isoformat(),
            url=url,
        )
        return response

    def _answer(
        self, request: Request, server: str, found: tuple[Endpoint, dict[str, str]] | None, token: str
    ) -> Response:
        if found is None:
            return error_answer(404, "Not found")
        pair = self.sandbox.oauth.bearer(server, token)
        if pair is None:
            return error_answer(401, "The access token is missing, invalid, expired or revoked")
        endpoint, ids = found
        scopes = frozenset(pair.scope.split())
        call = Call(self.sandbox.world.clinics[pair.clinic], request.query_params, ids, scopes)
        try:
            return self._allowed(endpoint, call, pair)
        except MissingScopeError as missing:
            return error_answer(403, f"Must have `{missing}` scope enabled to access this endpoint")
        except NotFoundError:
            return error_answer(404, "Not found")
        except BadParameterError as wrong:
            return error_answer(422, str(wrong))

    def _allowed(self, endpoint: Endpoint, call: Call, pair: TokenPair) -> Response:
        if endpoint.scope and endpoint.scope not in call.scopes:
            raise MissingScopeError(endpoint.scope)
        if endpoint.restricted and not self.sandbox.state.apps[pair.server].restricted_granted:
            return error_answer(403, "This endpoint is restricted and this application has not been granted access")
        answer = endpoint.answer(call)
        if isinstance(answer, Detail):
            return json_answer({answer.key: answer.record})
        rows, meta = page_of(answer.rows, call.params)
        return json_answer({answer.key: rows, "meta": meta})

    async def token(self, request: Request) -> Response:
        """POST oauth/token."""
        return await self._client_call(request, self._token)

    async def revoke(self, request: Request) -> Response:
        """POST oauth/revoke."""
        return await self._client_call(request, self._revoke)

    def _token(self, server: str, form: dict[str, Any]) -> dict[str, Any]:
        pair = self.sandbox.oauth.token(server, form)
        return token_answer(pair, self.sandbox.world.clinics[pair.clinic].owner_id)

    def _revoke(self, server: str, form: dict[str, Any]) -> dict[str, Any]:
        self.sandbox.oauth.revoke(server, form)
        return {}

    async def _client_call(self, request: Request, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Response:
        server = request.path_params["server"]
        if server not in REGIONS:
            return error_answer(404, "Not found")
        try:
            response = json_answer(answer(server, await read_form(request)))
        except RefusalError as refusal:
            body = {"error": refusal.error, "error_description": refusal.description}
            response = json_answer(body, refusal.status)
        endpoint = request.url.path.removeprefix(f"/{server}/api")
        self.sandbox.ledger.note(Counted(server, "POST", endpoint, response.status_code))
        return response

    async def authorize(self, request: Request) -> Response:
        """The authorize page: approves for `login` (a clinic's slug) or for the only clinic left, else offers links."""
        server, params = request.path_params["server"], request.query_params
        if server not in REGIONS or not self.sandbox.oauth.app(
            server, params.get("client_id"), params.get("redirect_uri")
        ):
            return _page("There is no application with this client_id and redirect_uri here.", 404)
        back: dict[str, str] = {key: params[key] for key in ("state",) if key in params}
        if params.get("response_type") != "code":
            return _redirect(params["redirect_uri"], {"error": "unsupported_response_type"} | back)
        here = {slug: its for slug, its in self.sandbox.world.clinics.items() if its.server == server}
        if (login := params.get("login")) is None:
            waiting = [slug for slug in here if not self.sandbox.oauth.connected(slug)]
            if len(waiting) != 1:
                return _choice(request, list(here.values()))
            login = waiting[0]
        if login not in here:
            return _page("There is no clinic with this login on this server.", 404)
        return _redirect(params["redirect_uri"], {"code": self.sandbox.oauth.approve(server, login)} | back)


async def read_form(request: Request) -> dict[str, Any]:
    """The arguments of a POST, JSON or form encoded. Raises RefusalError when they are neither."""
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            form = orjson.loads(body)
        except orjson.JSONDecodeError:
            form = None
        if not isinstance(form, dict):
            raise RefusalError("invalid_request", "The body is not a JSON object.")
        return form
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _refuse_write(server: str) -> Response:
    if server not in REGIONS:
        return error_answer(404, "Not found")
    return error_answer(403, "The sandbox refuses every change")


def _redirect(uri: str, answer: dict[str, str]) -> Response:
    joiner = "&" if urlsplit(uri).query else "?"
    return RedirectResponse(f"{uri}{joiner}{urlencode(answer)}", 302)


def _choice(request: Request, clinics: list[Clinic]) -> Response:
    asked = [(key, value) for key, value in request.query_params.multi_items() if key != "login"]
    links = "".join(
        f'<li><a href="?{escape(urlencode([*asked, ("login", clinic.slug)]))}">{escape(clinic.info["name"])}</a></li>'
        for clinic in clinics
    )
    return _page(f"Which clinic connects its account?</p><ul>{links}</ul><p>")


def _page(html: str, status: int = 200) -> Response:
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>Fullscript sandbox</title>"
    return HTMLResponse(f"{head}<body><p>{html}</p></body></html>", status)
