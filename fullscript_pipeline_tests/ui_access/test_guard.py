"""Requests as browsers send them, from the UI's own pages, from other sites and from other programs."""

import asyncio
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from fullscript_pipeline.ui_access import Guard, SignIns, make_code

KEY = bytes(32)
OWN = "http://127.0.0.1:3000"
GRAPHQL = "/graphql"


class Reached:
    """What came through to the app."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    async def page(self, request: Request) -> Response:
        self.requests.append(f"{request.method} {request.url.path}")
        return PlainTextResponse("the app")

    async def socket(self, socket: WebSocket) -> None:
        self.requests.append("SOCKET")
        await socket.accept()
        await socket.send_text("the app")
        await socket.close()


@pytest.fixture
def reached() -> Reached:
    return Reached()


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Client:
    """Asks the layer as a server would hand it on, and keeps cookies as a browser does."""

    guard: Guard
    base: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        sent = self._exchange("http", method, target, headers or {})
        start = sent[0]
        got = {name.decode(): value.decode() for name, value in start["headers"]}
        for name, morsel in SimpleCookie(got.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        return Answer(start["status"], got, b"".join(one.get("body", b"") for one in sent[1:]).decode())

    def get(self, target: str, **headers: str) -> Answer:
        return self.ask("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, target: str, **headers: str) -> Answer:
        return self.ask("POST", target, {name.replace("_", "-"): value for name, value in headers.items()})

    def opens_socket(self, headers: Mapping[str, str]) -> bool:
        return bool(self._exchange("websocket", "GET", GRAPHQL, headers)[0]["type"] == "websocket.accept")

    def _exchange(
        self, kind: str, method: str, target: str, headers: Mapping[str, str]
    ) -> list[MutableMapping[str, Any]]:
        path, _, query = target.partition("?")
        own = {"Host": urlsplit(self.base).netloc, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        scope: dict[str, Any] = {
            "type": kind, "scheme": "http" if kind == "http" else "ws", "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "server": ("127.0.0.1", 3000), "client": ("127.0.0.1", 1),
            "http_version": "1.1", "subprotocols": [],
            "headers": [(name.lower().encode(), value.encode()) for name, value in {**own, **headers}.items()],
        }  # fmt: skip
        if kind == "http":
            scope["method"] = method
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request" if kind == "http" else "websocket.connect", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        return sent


def client_of(reached: Reached, base: str = OWN, *, signs: bool = True, public: str | None = None) -> Client:
    routes: list[Any] = [WebSocketRoute(GRAPHQL, reached.socket)]
    routes += [Route("/{path:path}", reached.page, methods=["GET", "POST", "PUT", "DELETE"])]
    return Client(Guard(Starlette(routes=routes), SignIns(KEY) if signs else None, public), base)


@pytest.fixture
def signed_in(reached: Reached) -> Client:
    client = client_of(reached)
    assert client.get(f"/?code={make_code(KEY)}").status == 303
    return client


def test_nobody_gets_in_without_a_link(reached: Reached) -> None:
    client = client_of(reached)
    for path in ("/", "/runs/x", "/download_debug/x", "/logs/x", "/static/app.js"):
        answer = client.get(path)
        assert answer.status == 403 and "ui link" in answer.text
    assert client.post(GRAPHQL, Origin=OWN).status == 403
    assert not client.opens_socket({"Origin": OWN})
    assert reached.requests == []
    assert client.get("/server_info").status == 200


def test_a_link_signs_in_once_and_leaves_the_address(reached: Reached) -> None:
    link, client = f"/runs/x?code={make_code(KEY)}&tab=a", client_of(reached)
    answer = client.get(link)
    assert (answer.status, answer.headers["location"]) == (303, "/runs/x?tab=a")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "fullscript_ui_3000" in cookie
    assert client.get("/runs/x").text == "the app"
    other = Client(client.guard, OWN)
    assert other.get("/runs/x").status == 403
    again = other.get(link, Accept="text/html")
    assert again.status == 403 and "used already" in again.text


def test_a_link_leads_to_no_other_host(reached: Reached) -> None:
    answer = client_of(reached).get(f"//evil.example/x?code={make_code(KEY)}")
    assert answer.headers["location"] == "/evil.example/x"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:3001"},  # another port is the same site, and gets the cookie
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://127.0.0.1:3000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": OWN, "Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example:3000"},
        {"Host": "evil.example:3000", "Origin": "http://evil.example:3000"},  # a name that was bound to 127.0.0.1
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_sites_reach_nothing(headers: dict[str, str], method: str, signed_in: Client, reached: Reached) -> None:
    assert signed_in.ask(method, GRAPHQL if method == "POST" else "/", headers).status == 403
    assert not signed_in.opens_socket({"Origin": OWN, **headers})
    assert reached.requests == []


def test_the_ui_s_own_pages_reach_everything(signed_in: Client, reached: Reached) -> None:
    assert signed_in.post(GRAPHQL, Origin=OWN, Sec_Fetch_Site="same-origin").text == "the app"
    assert signed_in.get("/assets/core/orders", Sec_Fetch_Site="none").text == "the app"
    assert signed_in.opens_socket({"Origin": OWN, "Sec-Fetch-Site": "same-origin"})
    assert reached.requests == ["POST /graphql", "GET /assets/core/orders", "SOCKET"]


def test_what_changes_something_says_which_page_asks(signed_in: Client, reached: Reached) -> None:
    assert {signed_in.ask(method, GRAPHQL).status for method in ("POST", "PUT", "DELETE")} == {403}
    assert not signed_in.opens_socket({})
    assert reached.requests == []


@pytest.mark.parametrize("path", ["/graphql?query=mutation{x}", "/graphql", "/graphql/?query={x}", "//graphql?query=x"])
def test_graphql_over_get_is_not_executed(path: str, signed_in: Client, reached: Reached) -> None:
    for accept in ("*/*", "application/json", "image/avif,image/webp"):
        assert signed_in.get(path, Accept=accept).status == 403
    assert signed_in.get("/graphql?query={x}", Accept="text/html").status == 403
    assert reached.requests == []
    assert signed_in.get(GRAPHQL, Accept="text/html").status == 200, "the playground's page"


@pytest.mark.parametrize("base", ["http://localhost:3000", "http://[::1]:3000", "http://127.0.0.1:8080"])
def test_every_name_of_this_machine_will_do(base: str, reached: Reached) -> None:
    client = client_of(reached, base)
    assert client.get(f"/?code={make_code(KEY)}").status == 303
    assert client.post(GRAPHQL, Origin=base).text == "the app"


def test_a_proxy_s_address_is_taken_where_it_is_set(reached: Reached) -> None:
    public = "https://dagster.clinic.example"
    client = client_of(reached, public, public=public)
    answer = client.get(f"/?code={make_code(KEY)}")
    assert answer.status == 303 and "secure" in answer.headers["set-cookie"].lower()
    assert client.post(GRAPHQL, Origin=public).text == "the app"
    assert client.post(GRAPHQL, Origin="http://dagster.clinic.example").status == 403
    assert client_of(reached, "https://other.clinic.example", public=public).get("/").status == 403


def test_with_the_sign_in_off_the_other_rules_stay(reached: Reached) -> None:
    client = client_of(reached, signs=False)
    assert client.get("/").text == "the app"
    assert client.post(GRAPHQL, Origin="http://evil.example").status == 403
    assert client.get("/graphql?query={x}").status == 403
