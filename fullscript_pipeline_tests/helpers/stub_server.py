"""A server of forty lines that answers whatever a test wants, over real HTTP on loopback, and remembers what was asked.

What does not belong here: the vendor's behaviour (that is the sandbox).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import orjson


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """`body`: bytes as they are, anything else as JSON. `drop`: close the connection without an answer."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


@dataclass
class OddServer:
    url: str
    answer: Callable[[Seen], Reply]
    requests: list[Seen] = field(default_factory=list)

    def requests_to(self, path: str) -> list[Seen]:
        return [request for request in self.requests if request.path == path]


@contextmanager
def odd_server(answer: Callable[[Seen], Reply] | list[Reply]) -> Iterator[OddServer]:
    """Answers with `answer`, or with each of a list in turn and the last for ever."""
    left = list(answer) if isinstance(answer, list) else []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are written apart: 40 ms a request otherwise

        def do_GET(self) -> None:
            size = int(self.headers.get("content-length", 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self.rfile.read(size))
            server.requests.append(seen)
            reply = server.answer(seen)
            if reply.drop:
                self.close_connection = True
                return
            body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
            # send_response() adds the true Date and Server.
            (self.send_response_only if "Date" in reply.headers else self.send_response)(reply.status)
            for name, value in {"X-Request-Id": "req-1", "Content-Length": str(len(body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    def in_turn(_seen: Seen) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = OddServer(f"http://127.0.0.1:{listener.server_port}", in_turn if isinstance(answer, list) else answer)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join(5)
        listener.server_close()
