"""The HTTP face of the API: token calls, bearer checks, limits, envelopes and error bodies.

Every error is JSON. What does not belong here: what an endpoint answers (`endpoints`), the authorize page (`consent`)
and the control plane (`control`).
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullscript_pipeline.sandbox.consent import Consent
from fullscript_pipeline.sandbox.endpoints import ENDPOINTS, SandboxEndpoint, find_endpoint
from fullscript_pipeline.sandbox.http_replies import error_answer, json_answer, read_body
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.ledger import READS, RequestKind, template_of
from fullscript_pipeline.sandbox.oauth import RefusalError, token_answer
from fullscript_pipeline.sandbox.pages import BadParameterError, page_of
from fullscript_pipeline.sandbox.patient_visibility import HIDING, new_since, visible_to, without_objects
from fullscript_pipeline.sandbox.response_variants import reshape_answer, reshape_error, reshape_token
from fullscript_pipeline.sandbox.responses.clinic import Bare, Call, MissingScopeError, NotFoundError, WrappedRecord
from fullscript_pipeline.sandbox.store import TokenPair
from fullscript_pipeline.sandbox.word_lists import REGIONS
from fullscript_pipeline.sandbox.write_endpoints import WRITES, UnprocessableError, Write

A_DAY = timedelta(days=1)
# Where the paths of the API begin; anything else is nowhere, whatever the method.
AREAS = frozenset(endpoint.path.split("/")[1] for endpoint in ENDPOINTS)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Api:
    """Both servers of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        """The routes of both servers, under `/us-snd` and `/ca-snd`."""
        consent = Consent(self.sandbox)
        return [
            Route("/{server}/signin", consent.sign_in, methods=["GET"]),
            Route("/{server}/oauth/authorize", consent.authorize, methods=["GET"]),
            Route("/{server}/api/oauth/authorize", consent.authorize, methods=["GET"]),
            Route("/{server}/api/oauth/token", self.token, methods=["POST"]),
            Route("/{server}/api/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/{server}/api/{path:path}", self.api, methods=list(METHODS)),
        ]

    async def api(self, request: Request) -> Response:
        """Answers everything below an API base but OAuth, and counts it."""
        server = request.path_params["server"]
        path = self.sandbox.variants.restore_ids("/" + request.path_params["path"])
        match = find_endpoint(path) if server in REGIONS else None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token if scheme.lower() == "bearer" else ""
        response = await self._respond(request, server, path=path, match=match, token=token)
        if self.sandbox.variants:
            response = self._with_variants(response, match[0].path if match else path)
        self.sandbox.ledger.count_request(
            RequestKind(server, request.method, match[0].path if match else template_of(path), response.status_code),
            token=token,
            day=self.sandbox.state.day.isoformat(),
            url=f"{server}{path}?{request.url.query}" if request.method in READS else "",
        )
        return response

    async def _respond(
        self,
        request: Request,
        server: str,
        *,
        path: str,
        match: tuple[SandboxEndpoint, dict[str, str]] | None,
        token: str,
    ) -> Response:
        reading = request.method in READS
        write = WRITES.get(path) if request.method == "POST" else None
        if server not in REGIONS:
            return error_answer(404, "Not found")
        if not self._admits(server):
            return _too_many()
        if write is not None:
            body = await read_body(request)
            return self._answer(
                request, server, ids={}, token=token, answer=lambda call, _: _written(write, call, body)
            )
        if (match is None and reading) or path.split("/")[1] not in AREAS:
            return error_answer(404, "Not found")
        if match is None or not reading:
            return error_answer(403, "The sandbox refuses this change")
        endpoint, ids = match
        return self._answer(
            request, server, ids=ids, token=token, answer=lambda call, pair: self._read(endpoint, call, pair)
        )

    def _admits(self, server: str) -> bool:
        settings = self.sandbox.state.settings
        self.sandbox.ledger.record_arrival(server)
        return self.sandbox.limit.admit(server, settings.rate_limit, settings.rate_window)

    def _answer(
        self,
        request: Request,
        server: str,
        ids: dict[str, str],
        token: str,
        answer: Callable[[Call, TokenPair], Response],
    ) -> Response:
        pair = self.sandbox.oauth.bearer(server, token)
        if pair is None:
            return error_answer(401, "The access token is missing, invalid, expired or revoked")
        call = self._call(request, ids, pair)
        try:
            return answer(call, pair)
        except MissingScopeError as missing:
            status = 401 if "missing_scope_401" in self.sandbox.variants else 403
            return error_answer(status, f"Must have `{missing}` scope enabled to access this endpoint")
        except NotFoundError:
            return error_answer(404, "Not found")
        except BadParameterError as wrong:
            return error_answer(422, str(wrong))
        except UnprocessableError as wrong:
            return error_answer(422, *wrong.sentences)

    def _call(self, request: Request, ids: dict[str, str], pair: TokenPair) -> Call:
        """The call with what its user may see of the clinic."""
        clinic = self.sandbox.world.clinics[pair.clinic]
        user = self.sandbox.user_of(pair)
        if self.sandbox.state.settings.assigned_patients_only:
            clinic = visible_to(user, clinic)
        if HIDING in request.scope:
            clinic = without_objects(clinic, request.scope[HIDING] or new_since(self.sandbox.moment - A_DAY, clinic))
        return Call(
            clinic=clinic,
            params=self._params(request),
            ids=ids,
            scopes=frozenset(pair.scope.split()),
            user=user,
            base_url=str(request.base_url).rstrip("/"),
            days=self.sandbox.variants.days(clinic.zone),
            grants=self.sandbox.grants,
        )

    def _read(self, endpoint: SandboxEndpoint, call: Call, pair: TokenPair) -> Response:
        if endpoint.scopes and not endpoint.scopes & call.scopes:
            raise MissingScopeError(endpoint.scope.split()[0])
        if endpoint.restricted and not self.sandbox.state.app_of(pair.app, pair.server).restricted_granted:
            return error_answer(403, "This endpoint is restricted and this application has not been granted access")
        answer = endpoint.answer(call)
        if isinstance(answer, Bare):
            return json_answer(answer.record)
        if isinstance(answer, WrappedRecord):
            return json_answer({answer.key: answer.record})
        variants = self.sandbox.variants
        if endpoint.nested and "nested_without_meta" in variants:
            return json_answer({answer.key: answer.rows})
        rows, meta = page_of(answer.rows, call.params, variants.page_size)
        if endpoint.nested and "nested_pages_without_meta" in variants:
            return json_answer({answer.key: rows})
        return json_answer({answer.key: rows, "meta": meta})

    def _params(self, request: Request) -> QueryParams:
        if "other_ids" not in self.sandbox.variants:
            return request.query_params
        return QueryParams(
            [(key, self.sandbox.variants.restore_ids(text)) for key, text in request.query_params.multi_items()]
        )

    def _with_variants(self, response: Response, path: str) -> Response:
        variants, status, body = self.sandbox.variants, response.status_code, orjson.loads(response.body)
        body = reshape_error(variants, status, body) if status >= 400 else reshape_answer(variants, path, body)
        if status == 201 and "session_grant_200" in variants:
            status = 200
        return Response(variants.replace_ids_in_answer(orjson.dumps(body)), status, media_type="application/json")

    async def token(self, request: Request) -> Response:
        """POST oauth/token."""
        return await self._client_call(request, self._token)

    async def revoke(self, request: Request) -> Response:
        """POST oauth/revoke."""
        return await self._client_call(request, self._revoke)

    def _token(self, server: str, form: dict[str, Any]) -> dict[str, Any]:
        keeps = "refresh_token_kept" in self.sandbox.variants and form.get("grant_type") == "refresh_token"
        pair = self.sandbox.oauth.token(server, form, rotates=not keeps)
        body = token_answer(pair, self.sandbox.user_of(pair), with_refresh_token=not keeps)
        return reshape_token(self.sandbox.variants, body, self.sandbox.world.clinics[pair.clinic].id)

    def _revoke(self, server: str, form: dict[str, Any]) -> dict[str, Any]:
        self.sandbox.oauth.revoke(server, form)
        return {}

    async def _client_call(self, request: Request, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Response:
        server = request.path_params["server"]
        if server not in REGIONS:
            return error_answer(404, "Not found")
        form = await read_body(request)
        try:
            if not self._admits(server):
                response = _too_many()
            elif form is None:
                raise RefusalError("invalid_request", "The body is not a JSON object.")
            else:
                response = json_answer(answer(server, form))
        except RefusalError as refusal:
            body = {"error": refusal.error, "error_description": refusal.description}
            response = json_answer(body, refusal.status)
        variants, status = self.sandbox.variants, response.status_code
        if variants:
            body = orjson.loads(response.body)
            body = reshape_error(variants, status, body) if status >= 400 else body
            response = Response(
                variants.replace_ids_in_answer(orjson.dumps(body)), status, media_type="application/json"
            )
        endpoint = request.url.path.removeprefix(f"/{server}/api")
        self.sandbox.ledger.count_request(RequestKind(server, "POST", endpoint, response.status_code))
        return response


def _too_many() -> Response:
    # The reference names neither the status nor a header; it only mentions error responses.
    return error_answer(429, "Rate limit exceeded: too many requests in the last minutes")


def _written(write: Write, call: Call, body: dict[str, Any] | None) -> Response:
    if body is None:
        raise UnprocessableError("The body must be a JSON object")
    return json_answer(write.answer(call, body), write.status)
