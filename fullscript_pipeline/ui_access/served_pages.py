"""Pages that the UI's server shows beside Dagster's own, below `/pages/`: the catalog's digests and the reference.

They hold no health data. A link in Dagster leads to them where no other server does (`FULLSCRIPT_REPORTS_BASE_URL`).
Not everybody who may use the UI may read about patients. What does not belong here: clinics' pages; who may use the UI
(`guard`).
"""

from collections.abc import Awaitable, Callable
from mimetypes import guess_type
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.files import Files

PAGES = "/pages"
CATALOG = f"{PAGES}/catalog"
REFERENCE = f"{PAGES}/reference"
# Pages have the origin of Dagster's app, which does what its requests say: they may send none.
_HEADERS = {
    "Content-Security-Policy": "connect-src 'none'; form-action 'none'; frame-src 'none'; object-src 'none'; "
    "worker-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Folder(StaticFiles):
    """A folder that need not exist before the first digest."""

    async def check_config(self) -> None:
        if self.directory is None or not Path(self.directory).is_dir():
            raise HTTPException(404)


class ServedPages:
    """Answers below `/pages/`; everything else reaches the app.

    `catalog`: the catalog's pages; their folder need not exist yet. `make_reference`: the reference as HTML.
    """

    def __init__(self, app: ASGIApp, *, catalog: Files, make_reference: Callable[[], str]) -> None:
        async def reference(_: Request) -> Response:
            return HTMLResponse(await run_in_threadpool(make_reference))

        self._app = app
        folder = _Folder(directory=catalog.address(""), check_dir=False, html=True)
        files = folder if catalog.is_local else Starlette(routes=[Route("/{name:path}", _object_of(catalog))])
        routes = [Route(REFERENCE, reference), Mount(CATALOG, files)]
        self._pages = Starlette(routes=routes, exception_handlers={404: _not_found})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{PAGES}/"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._pages(scope, receive, send_with_headers)


def _object_of(catalog: Files) -> Callable[[Request], Awaitable[Response]]:
    """Answers with a page that is in a bucket."""

    async def page(request: Request) -> Response:
        name = request.path_params["name"]
        if not name or name.endswith("/"):
            name += "index.html"
        if {"", ".", ".."} & set(name.split("/")):
            raise HTTPException(404)
        try:
            content = await run_in_threadpool(catalog.get, name)
        except PipelineError as problem:
            return PlainTextResponse(f"{problem}\n", 503)
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type=guess_type(name)[0] or "application/octet-stream")

    return page


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse(
        "No such page. Only the catalog's pages and the reference are served here: a clinic's pages hold health data. "
        "Open their files, or set FULLSCRIPT_REPORTS_BASE_URL to where they are served.\n",
        status_code=404,
    )
