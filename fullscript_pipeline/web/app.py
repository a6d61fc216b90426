"""The portal as an ASGI application: which address is answered by what, and what is answered when nothing is shown.

What does not belong here: the answers themselves.
"""

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.web.clinic_views import ClinicViews
from fullscript_pipeline.web.connecting import Connecting
from fullscript_pipeline.web.embed_views import EmbedViews
from fullscript_pipeline.web.gate import HEALTH, Gate
from fullscript_pipeline.web.note_views import NoteViews
from fullscript_pipeline.web.operator_sign_in import OperatorSignIn
from fullscript_pipeline.web.operator_views import OperatorViews
from fullscript_pipeline.web.plan_views import PlanViews
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.reading_views import ReadingViews
from fullscript_pipeline.web.signing_in import SigningIn
from fullscript_pipeline.web.templating import page, static_file
from fullscript_pipeline.web.visitors import NotShown, NotSignedIn, Visitors

_log = logging.getLogger(__name__)
_LARGEST_FORM = 64 << 10
_CSS = "text/css; charset=utf-8"
_JS = "text/javascript; charset=utf-8"
_STATIC = {"pages.css": _CSS, "portal.css": _CSS, "portal.js": _JS, "embed.js": _JS}
_STATIC |= {"fullscript-js-3.2.0.umd.min.js": _JS, "fullscript-js.LICENSE.txt": "text/plain; charset=utf-8"}
FormAnswer = Callable[[Request, Mapping[str, str]], Response]


def create_app(portal: Portal) -> Starlette:
    """The application; requests run in threads, and the portal is shared by them."""
    configuration = portal.configuration
    return Starlette(
        routes=[Route(HEALTH, _healthy), Route("/static/{name}", _static), *_portal_routes(portal)],
        middleware=[Middleware(Gate, host=configuration.host, is_https=configuration.is_https, limits=portal.limits)],
        exception_handlers={
            NotSignedIn: _not_signed_in,
            NotShown: _not_shown,
            HTTPException: _not_shown,
            PipelineError: _unavailable,
            Exception: _unavailable,
        },
    )


def _portal_routes(portal: Portal) -> Iterator[Route]:
    visitors, form = Visitors(portal), partial(_form_endpoint, portal.configuration.url)
    connecting = Connecting(portal, visitors)
    signing_in = SigningIn(portal, visitors, connecting)
    yield Route("/", signing_in.front)
    yield Route("/signin/{env}", signing_in.begin)
    yield Route("/callback", signing_in.callback)
    yield Route("/connect", connecting.show)
    yield Route("/connect/begin", connecting.begin)
    yield Route("/language/{code}", signing_in.choose_language)
    operators = OperatorSignIn(portal, visitors)
    yield Route("/operators/signin", operators.begin)
    yield Route("/operators/callback", operators.callback)
    yield Route("/signout", form(signing_in.sign_out), methods=["POST"])
    yield Route("/signout-everywhere", form(signing_in.sign_out_everywhere), methods=["POST"])
    yield from _clinic_routes(portal, visitors, form)


def _clinic_routes(
    portal: Portal, visitors: Visitors, form: Callable[[FormAnswer], Callable[[Request], object]]
) -> Iterator[Route]:
    plans = PlanViews(portal, visitors)
    notes, reading = NoteViews(portal, visitors), ReadingViews(portal, visitors)
    embed = EmbedViews(portal, visitors, plans)
    operators = OperatorViews(portal, visitors)
    clinic = ClinicViews(portal, visitors, notes=notes, reading=reading, embed=embed, operators=operators)
    home, patient = "/clinics/{clinic_key}/", "/clinics/{clinic_key}/patients/{patient_id}"
    yield Route("/operators/", operators.overview)
    yield Route("/index.html", clinic.index)
    yield Route("/catalog/{region}/{path:path}", clinic.catalog)
    yield Route(home, clinic.patients)
    yield Route(home, form(clinic.search), methods=["POST"])
    yield Route(patient, clinic.patient)
    yield Route(f"{patient}/notes", form(notes.add), methods=["POST"])
    yield Route(f"{patient}/read", form(reading.ask), methods=["POST"])
    yield Route(f"{patient}/read", reading.show)
    yield Route(f"{patient}/draft", form(plans.draft), methods=["POST"])
    yield Route(f"{patient}/draft", plans.ask_draft)
    yield Route(f"{patient}/embed", embed.panel)
    yield Route(f"{home}embed-grant", form(embed.grant), methods=["POST"])
    yield Route(f"{home}plans/new", plans.new)
    yield Route(f"{home}plans/{{treatment_plan_id}}/open", plans.open)
    yield Route(f"{home}plans/{{treatment_plan_id}}/order-link", form(plans.order_link), methods=["POST"])
    yield Route("/clinics/{clinic_key}/{path:path}", clinic.file)


def _form_endpoint(url: str, answer: FormAnswer) -> Callable[[Request], object]:
    async def read_and_answer(request: Request) -> Response:
        fields = await _read_form(request, url)
        return await run_in_threadpool(answer, request, fields)

    return read_and_answer


async def _read_form(request: Request, url: str) -> dict[str, str]:
    """The fields of a form that a page of the portal has sent. Raises NotShown for one of another site."""
    parts = urlsplit(url)
    # A browser that sends no referrer names no origin with its forms either.
    origin = request.headers.get("origin", "null").lower()
    if origin not in {"null", f"{parts.scheme}://{parts.netloc}".lower()}:
        raise NotShown
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise NotShown
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            raise NotShown
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50))


def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise NotShown
    return Response(static_file(name), headers={"Content-Type": _STATIC[name]})


def _not_signed_in(request: Request, _: Exception) -> Response:
    """To the page with the buttons; a form or a script gets a status that it can tell."""
    if request.method == "GET" and request.headers.get("sec-fetch-mode", "navigate") == "navigate":
        return RedirectResponse("/", 303)
    return page("message.html.j2", 401, message="You are not signed in any more. Sign in again.")


def _not_shown(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return page("message.html.j2", status, message="There is nothing here for you.")


def _unavailable(request: Request, error: Exception) -> Response:
    """The log names kind and place of an error: its text may hold what somebody has sent."""
    place = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
    where = f"{Path(place.filename).name}:{place.lineno}" if place else "unknown"
    _log.error("a request failed: %s at %s", type(error).__name__, where)
    return page("message.html.j2", 503, message="The portal cannot answer now. Try again in a minute.")
