"""What holds for every request and every response: the Host, the number of tries, the headers that protect a browser.

What does not belong here: who is signed in (`visitors`), what is answered.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullscript_pipeline.web.language import use_language_of
from fullscript_pipeline.web.rate_limit import Limits

HEALTH = "/healthz"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-Robots-Tag": "noindex",
}
_SIGN_IN_PATHS = ("/signin/", "/callback", "/connect/", "/operators/signin", "/operators/callback")


class Gate:
    """Around the whole application. `host`: the only Host that is answered, but for the health check."""

    def __init__(self, app: ASGIApp, *, host: str, is_https: bool, limits: Limits) -> None:
        self._app, self._host, self._is_https = app, host, is_https
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        use_language_of(Headers(scope=scope), HTTPConnection(scope).cookies)
        app = self._refusal(scope) or self._app

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("Content-Security-Policy", POLICY)
                if self._is_https:
                    headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
            await send(message)

        await app(scope, receive, send_protected)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """What is answered in the application's place; None: the request passes."""
        path = scope["path"]
        if path == HEALTH:
            return None
        if Headers(scope=scope).get("host", "").lower() != self._host:
            return PlainTextResponse("This address is not the portal's.\n", status_code=421)
        client = (scope.get("client") or ("", 0))[0]
        is_allowed = self._limits.requests.allows(client)
        if path.startswith(_SIGN_IN_PATHS):
            is_allowed = self._limits.sign_ins.allows(client) and is_allowed
        if not is_allowed:
            return PlainTextResponse(
                "Too many requests: wait a minute.\n", status_code=429, headers={"Retry-After": "60"}
            )
        return None
