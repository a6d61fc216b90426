"""The layer around Dagster's app: only its own pages reach it, and only for who has signed in.

Checked for every HTTP request and WebSocket, before Dagster sees it: the Host (a name of this machine, or the address
that a proxy serves it under), the Origin (exactly that host, scheme and port), Sec-Fetch-Site, the session's cookie; no
GraphQL over GET but the playground's page. `/server_info`, which tells versions only, is open for health checks. What
does not belong here: codes and sessions (`sign_in`).
"""

import html
from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fullscript_pipeline.ui_access.sign_in import SignIns

OPEN_PATHS = frozenset({"/server_info", "/dagit_info"})
CODE = "code"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_HOW = "Open the UI with the link that `fullscript-pipeline ui link` prints."


class Guard:
    """`sign_ins` None: whoever reaches the server is let in (a proxy with a login stands before it).

    `public_url`: the address under which a proxy serves the UI; None: none does.
    """

    def __init__(self, app: ASGIApp, sign_ins: SignIns | None, public_url: str | None = None) -> None:
        self._app, self._sign_ins = app, sign_ins
        public = urlsplit(public_url) if public_url else None
        self._public = (public.scheme, public.netloc.lower()) if public else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        answer = self._answer(connection)
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403})
        else:
            await answer(scope, receive, send)

    def _answer(self, connection: HTTPConnection) -> Response | None:
        """What is answered in Dagster's place; None: the request passes."""
        if connection.scope["type"] == "http" and connection.url.path in OPEN_PATHS:
            return None
        if (reason := self._refusal(connection)) is not None:
            return _refused(connection, reason)
        if self._sign_ins is None:
            return None
        codes = parse_qs(connection.url.query).get(CODE)
        if codes and connection.scope.get("method") == "GET":
            return self._signed_in(connection, self._sign_ins.redeem(codes[0]))
        if not self._sign_ins.is_open(connection.cookies.get(_cookie(connection))):
            return _refused(connection, f"You are not signed in. {_HOW}")
        return None

    def _refusal(self, connection: HTTPConnection) -> str | None:
        """Why a request is none of the UI's own; None when it is."""
        host, headers = connection.headers.get("host", "").lower(), connection.headers
        own = self._origin(host)
        if own is None:
            return "This address is not one of the UI's: use 127.0.0.1, or set FULLSCRIPT_UI_URL to the proxy's."
        is_socket = connection.scope["type"] == "websocket"
        method = connection.scope.get("method", "")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != own:
            return "Another site asked for it."
        if headers.get("sec-fetch-site", "none").lower() not in {"same-origin", "none"}:
            return "Another site asked for it."
        if origin is None and (is_socket or method not in _SAFE_METHODS):
            return "It does not say which page asks (no Origin)."
        if not is_socket and method in _SAFE_METHODS and _is_graphql(connection) and not _wants_playground(connection):
            return "GraphQL is answered to POST only."
        return None

    def _origin(self, host: str) -> str | None:
        """The origin of pages that were served under this Host; None for a foreign name."""
        if self._public and host == self._public[1]:
            return f"{self._public[0]}://{host}"
        return f"http://{host}" if _is_this_machine(host) else None

    def _signed_in(self, connection: HTTPConnection, session: str | None) -> Response:
        if session is None:
            return _refused(connection, f"The link was used already, or is older than ten minutes. {_HOW}")
        kept = {name: values for name, values in parse_qs(connection.url.query).items() if name != CODE}
        query = f"?{urlencode(kept, doseq=True)}" if kept else ""
        # A path alone: `//host` would lead elsewhere.
        response = RedirectResponse(f"/{connection.url.path.lstrip('/')}{query}", status_code=303)
        is_https = bool(self._public and self._public == ("https", connection.headers.get("host", "").lower()))
        response.set_cookie(_cookie(connection), session, httponly=True, samesite="strict", secure=is_https, path="/")
        response.headers.update(_PRIVATE)
        return response


_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def _cookie(connection: HTTPConnection) -> str:
    """Cookies know no ports: two UIs of this machine must not overwrite each other's."""
    port = connection.headers.get("host", "").rpartition(":")[2]
    return f"fullscript_ui_{port}" if port.isdigit() else "fullscript_ui"


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _is_graphql(connection: HTTPConnection) -> bool:
    return connection.url.path.rstrip("/").endswith("/graphql")


def _wants_playground(connection: HTTPConnection) -> bool:
    """Dagster answers with the page then, whatever else the address holds."""
    return "text/html" in connection.headers.get("accept", "") and not connection.url.query


def _refused(connection: HTTPConnection, reason: str) -> Response:
    headers: MutableMapping[str, Any] = dict(_PRIVATE)
    if "text/html" not in connection.headers.get("accept", ""):
        return PlainTextResponse(f"{reason}\n", status_code=403, headers=headers)
    # A link from elsewhere (an alert in a mail) is refused; the same link clicked here comes from the UI itself.
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Not let in</title>"
        f"<p>{html.escape(reason)}</p><p><a href='/'>Go to the UI</a></p>"
    )
    return HTMLResponse(page, status_code=403, headers={**headers, "Content-Security-Policy": "default-src 'none'"})
