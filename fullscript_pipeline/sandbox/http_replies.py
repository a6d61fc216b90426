"""Makes HTTP answers: JSON, errors in the documented shapes, pages for people; reads form and JSON bodies.

What does not belong here: deciding what to answer (`routes`, `control`, `consent`).
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response


def json_answer(body: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def error_answer(status: int, *sentences: str) -> Response:
    """An error in the documented shape: a list of sentences for 422, one sentence otherwise."""
    return json_answer({"error": list(sentences) if status == 422 else sentences[0]}, status)


def redirect_answer(uri: str, answer: dict[str, str]) -> Response:
    """Sends a browser back to an app with these query parameters."""
    joiner = "&" if urlsplit(uri).query else "?"
    return RedirectResponse(f"{uri}{joiner}{urlencode(answer)}", 302)


def page_answer(html: str, status: int = 200) -> Response:
    """A page for a person; `html` is trusted."""
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>Fullscript sandbox</title>"
    return HTMLResponse(f"{head}<body>{html}</body></html>", status)


async def read_body(request: Request) -> dict[str, Any] | None:
    """The arguments of a POST, JSON or form encoded; None when they are neither."""
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            form = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError:
            return None
        return form if isinstance(form, dict) else None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
