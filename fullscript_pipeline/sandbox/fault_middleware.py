"""Stands before the whole application and lets armed faults happen to API requests.

With nothing armed it costs nothing. What does not belong here: the rules (`faults`), made-up answers
(`malformed_responses`), sockets (`socket_faults`).
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from fullscript_pipeline.sandbox.endpoints import find_endpoint
from fullscript_pipeline.sandbox.faults import CANNED, HIDDEN, MALFORMING, PAGED, ApiRequest, Rule
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.ledger import RequestKind, template_of
from fullscript_pipeline.sandbox.malformed_responses import (
    change_page_meta,
    make_canned_response,
    malform_response,
    merge_pages,
)
from fullscript_pipeline.sandbox.patient_visibility import HIDING
from fullscript_pipeline.sandbox.socket_faults import (
    CapturedResponse,
    ListeningSocket,
    capture,
    cycle_of,
    drip,
    reset,
    reset_mid_body,
    silence,
)
from fullscript_pipeline.sandbox.word_lists import REGIONS

SHIFTS = {"duplicate_page": -1, "row_repeated": -1, "skipped_page": 1}


class FaultMiddleware:
    """The application behind its faults; `listening_socket` is set once a server listens."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app, self.sandbox = app, sandbox
        self.listening_socket: ListeningSocket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        api_request = self._api_request(scope) if self.sandbox.faults.rules and scope["type"] == "http" else None
        rule = self.sandbox.faults.strike(api_request) if api_request else None
        if api_request is None or rule is None:
            await self.app(scope, receive, send)
        elif rule.kind in CANNED:
            port = scope["server"][1]
            answer = make_canned_response(rule, str(uuid4()), port, scope["path"])
            self._count_request(api_request, answer.status)
            await answer.send_with(send)
        elif rule.kind in MALFORMING:
            answer = malform_response(rule, await capture(self.app, scope, receive))
            if "date" in answer.headers:
                cycle_of(send).default_headers = []  # the server would add a second, true Date
            await answer.send_with(send)
        elif rule.kind in PAGED:
            await (await self._change_page(rule, scope, receive, api_request.page)).send_with(send)
        elif rule.kind in HIDDEN:
            await self.app({**scope, HIDING: frozenset(rule.objects) or None}, receive, send)
        else:
            await self._break_connection(rule, api_request, scope=scope, receive=receive, send=send)

    async def _break_connection(
        self, rule: Rule, api_request: ApiRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if rule.kind in {"connect_refused", "connect_timeout", "read_timeout"}:
            self._count_request(api_request, 0)
        if rule.kind == "read_timeout":
            await silence(receive, send, rule.seconds)
        elif rule.kind in {"connect_refused", "connect_timeout"}:
            if self.listening_socket:
                await self.listening_socket.shut(rule.seconds, hang=rule.kind == "connect_timeout")
            await reset(send)
        else:
            answer = await capture(self.app, scope, receive)
            if rule.kind == "slow_drip":
                await drip(answer, send, rule.seconds)
            elif rule.kind == "reset_mid_body":
                await reset_mid_body(answer, send)
            else:
                await reset(send)

    async def _change_page(self, rule: Rule, scope: Scope, receive: Receive, page: int) -> CapturedResponse:
        if rule.kind == "page_size_ignored":
            return await capture(self.app, _with_arguments(scope, {"page[size]": None}), receive)
        if rule.kind == "filters_ignored":
            paging = {key: text for key, text in _arguments(scope) if key.startswith("page[")}
            return await capture(self.app, {**scope, "query_string": urlencode(paging).encode()}, receive)
        answer = await capture(self.app, scope, receive)
        if rule.kind not in SHIFTS:
            return change_page_meta(answer, rule.kind)
        neighbour = await capture(self.app, _with_arguments(scope, {"page[number]": page + SHIFTS[rule.kind]}), receive)
        if {answer.status, neighbour.status} != {200}:
            return answer
        return merge_pages(answer, neighbour, repeated=rule.kind == "row_repeated")

    def _api_request(self, scope: Scope) -> ApiRequest | None:
        server, _, api_path = scope["path"].strip("/").partition("/")
        if server not in REGIONS or not api_path.startswith("api/") or api_path == "api/oauth/authorize":
            return None
        path = api_path.removeprefix("api")
        match = find_endpoint(path)
        bearer = next((header.decode() for key, header in scope["headers"] if key == b"authorization"), "")
        pair = self.sandbox.state.pairs.get(bearer.partition(" ")[2])
        page = dict(_arguments(scope)).get("page[number]", "1")
        template = match[0].path if match else template_of(path)
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 10 else 1
        return ApiRequest(
            method=scope["method"],
            server=server,
            endpoint=template,
            path=path,
            clinic=pair.clinic if pair else "",
            page=number,
        )

    def _count_request(self, api_request: ApiRequest, status: int) -> None:
        self.sandbox.ledger.record_arrival(api_request.server)
        self.sandbox.ledger.count_request(
            RequestKind(api_request.server, api_request.method, api_request.endpoint, status)
        )


def _arguments(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode())


def _with_arguments(scope: Scope, changes: dict[str, Any]) -> Scope:
    # The same request with other paging arguments (None: without).
    unchanged = [(key, argument) for key, argument in _arguments(scope) if key not in changes]
    changed = [(key, str(argument)) for key, argument in changes.items() if argument is not None]
    return {**scope, "query_string": urlencode([*unchanged, *changed]).encode()}
