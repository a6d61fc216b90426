"""A webhook receiver of a few lines that fails now and then, so that there are deliveries of both kinds to list."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count


@contextmanager
def receiving(challenges: Mapping[str, str]) -> Iterator[str]:
    """Answers at `<base>/<server>` with that server's challenge token, every third payload with 500; gives the base."""
    payloads = count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fails = bool(body) and next(payloads) % 3 == 0
            said = json.dumps({"challenge": challenges[self.path.strip("/")]}).encode()
            self.send_response(500 if fails else 200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
