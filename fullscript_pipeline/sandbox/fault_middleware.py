"""Stands before the whole application and lets armed faults happen to API requests.

With nothing armed it costs nothing. What does not belong here: the rules (`faults`), made-up answers
(`malformed_responses`), sockets (`socket_faults`).
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from fullscript_pipeline.sandbox.endpoints import find_endpoint
from fullscript_pipeline.sandbox.faults import BENT, CANNED, HIDDEN, PAGED, Asked, Rule
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.ledger import Counted, template_of
from fullscript_pipeline.sandbox.malformed_responses import bent, canned, merged, repaged
from fullscript_pipeline.sandbox.patient_visibility import HIDING
from fullscript_pipeline.sandbox.socket_faults import (
    Captured,
    Door,
    capture,
    cycle_of,
    drip,
    reset,
    reset_mid_body,
    silence,
)
from fullscript_pipeline.sandbox.word_lists import REGIONS

SHIFTS = {"duplicate_page": -1, "row_repeated": -1, "skipped_page": 1}


class Faulty:
    """The application behind its faults; `door` is set once a server listens."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app, self.sandbox = app, sandbox
        self.door: Door | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        asked = self._asked(scope) if self.sandbox.faults.rules and scope["type"] == "http" else None
        rule = self.sandbox.faults.strike(asked) if asked else None
        if asked is None or rule is None:
            await self.app(scope, receive, send)
        elif rule.kind in CANNED:
            port = scope["server"][1]
            answer = canned(rule, str(uuid4()), port, scope["path"])
            self._note(asked, answer.status)
            await answer.send_with(send)
        elif rule.kind in BENT:
            answer = bent(rule, await capture(self.app, scope, receive))
            if "date" in answer.headers:
                cycle_of(send).default_headers = []  # the server would add a second, true Date
            await answer.send_with(send)
        elif rule.kind in PAGED:
            await (await self._paged(rule, scope, receive, asked.page)).send_with(send)
        elif rule.kind in HIDDEN:
            await self.app({**scope, HIDING: frozenset(rule.objects) or None}, receive, send)
        else:
            await self._on_the_wire(rule, asked, scope, receive, send)

    async def _on_the_wire(self, rule: Rule, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.kind in {"connect_refused", "connect_timeout", "read_timeout"}:
            self._note(asked, 0)
        if rule.kind == "read_timeout":
            await silence(receive, send, rule.seconds)
        elif rule.kind in {"connect_refused", "connect_timeout"}:
            if self.door:
                await self.door.shut(rule.seconds, hang=rule.kind == "connect_timeout")
            await reset(send)
        else:
            answer = await capture(self.app, scope, receive)
            if rule.kind == "slow_drip":
                await drip(answer, send, rule.seconds)
            elif rule.kind == "reset_mid_body":
                await reset_mid_body(answer, send)
            else:
                await reset(send)

    async def _paged(self, rule: Rule, scope: Scope, receive: Receive, page: int) -> Captured:
        if rule.kind == "page_size_ignored":
            return await capture(self.app, _turned(scope, {"page[size]": None}), receive)
        if rule.kind == "filters_ignored":
            kept = {key: value for key, value in _arguments(scope) if key.startswith("page[")}
            return await capture(self.app, {**scope, "query_string": urlencode(kept).encode()}, receive)
        answer = await capture(self.app, scope, receive)
        if rule.kind not in SHIFTS:
            return repaged(answer, rule.kind)
        other = await capture(self.app, _turned(scope, {"page[number]": page + SHIFTS[rule.kind]}), receive)
        if {answer.status, other.status} != {200}:
            return answer
        return merged(answer, other, repeated=rule.kind == "row_repeated")

    def _asked(self, scope: Scope) -> Asked | None:
        server, _, rest = scope["path"].strip("/").partition("/")
        if server not in REGIONS or not rest.startswith("api/") or rest == "api/oauth/authorize":
            return None
        path = rest.removeprefix("api")
        found = find_endpoint(path)
        bearer = next((value.decode() for key, value in scope["headers"] if key == b"authorization"), "")
        pair = self.sandbox.state.pairs.get(bearer.partition(" ")[2])
        page = dict(_arguments(scope)).get("page[number]", "1")
        template = found[0].path if found else template_of(path)
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 10 else 1
        return Asked(scope["method"], server, template, path, pair.clinic if pair else "", number)

    def _note(self, asked: Asked, status: int) -> None:
        self.sandbox.ledger.arrive(asked.server)
        self.sandbox.ledger.note(Counted(asked.server, asked.method, asked.endpoint, status))


def _arguments(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode())


def _turned(scope: Scope, changes: dict[str, Any]) -> Scope:
    # The same request with other paging arguments (None: without).
    kept = [(key, value) for key, value in _arguments(scope) if key not in changes]
    given = [(key, str(value)) for key, value in changes.items() if value is not None]
    return {**scope, "query_string": urlencode([*kept, *given]).encode()}
