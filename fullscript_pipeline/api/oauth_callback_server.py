"""The web server on loopback that receives the browser's redirect after the user has signed in.

It is bound to the port of the redirect URI and answers its path only. What does not belong here: what a callback
means (`authorization_flow`), and any log of a request: its URL holds the authorization code.
"""

import html
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import SplitResult, urlsplit

from fullscript_pipeline.errors import Busy, ConfigurationError

# Listening on anything else would put the authorization code on the network.
_LISTENABLE = {"127.0.0.1", "localhost"}
# (HTTP status, sentence for the page)
PageAnswer = tuple[int, str]

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fullscript pipeline</title></head>
<body><h1>{title}</h1><p>{sentence}</p></body></html>
"""


class CallbackServer:
    """Starts listening in a background thread when constructed. `handle` maps the query text to status and sentence.

    Raises ConfigurationError for a redirect URI that is not plain http on loopback, Busy when the port is taken.
    """

    def __init__(self, redirect_uri: str, handle: Callable[[str], PageAnswer], after: Callable[[], None]) -> None:
        parts = urlsplit(redirect_uri)
        if parts.scheme != "http" or parts.hostname not in _LISTENABLE:
            raise ConfigurationError(
                "FULLSCRIPT_REDIRECT_URI is not on this machine, so nothing can listen for the answer: use `connect "
                "--paste`, or set it to http://127.0.0.1:8765/callback here and in the vendor's dashboard."
            )
        port = parts.port or 80
        try:
            self._server = _QuietServer(("127.0.0.1", port), _handler(parts, port, handle, after))
        except OSError:
            raise Busy(
                f"Port {port} of 127.0.0.1, where the sign-in comes back to, is used by another program (perhaps "
                "another `connect`): stop it, or change the port in FULLSCRIPT_REDIRECT_URI and the vendor's dashboard."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5.0)
        self._server.server_close()


_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Connection", "close"),
)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores errors: a client that disconnects early is not one, and `handle` keeps its own for the waiter."""


def _handler(
    parts: SplitResult, port: int, handle: Callable[[str], PageAnswer], after: Callable[[], None]
) -> type[BaseHTTPRequestHandler]:
    hosts = {f"{name}:{port}" for name in _LISTENABLE} | (_LISTENABLE if port == 80 else set())

    class Handler(BaseHTTPRequestHandler):
        timeout = 30.0  # an idle connection is closed

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            if self.headers.get("Host", "").lower() not in hosts or target.path != (parts.path or "/"):
                # A page of another origin can reach loopback under its own host name (DNS rebinding).
                self._answer(404, "This page does not exist.")
                return
            try:
                status, sentence = handle(target.query)
                self._answer(status, sentence)
            finally:
                after()

        def _answer(self, status: int, sentence: str) -> None:
            title = "Connected" if status == 200 else "Not connected"
            body = _PAGE.format(title=title, sentence=html.escape(sentence)).encode()
            self.send_response(status)
            for name, content in (*_HEADERS, ("Content-Length", str(len(body)))):
                self.send_header(name, content)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the request line holds the authorization code."""

    return Handler
