"""Links and grants that lead into Fullscript, requested with the user's own token at the click, and never stored.

These are the only calls of the product that lead somewhere else than to data, and but for token calls its only POSTs;
so they are in this one module, which the pipeline cannot import. What does not belong here: what a page shows of a
link, reads (`fullscript_app`).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fullscript_pipeline.api import (
    BadResponse,
    ClinicSession,
    FullscriptError,
    HttpRequest,
    HttpResponse,
    NotFound,
    RequestSummary,
    ScopeError,
    error_for,
)
from fullscript_pipeline.resources.types import detail, scopes
from fullscript_pipeline.servers import is_vendor_host
from fullscript_pipeline.settings import ServerSettings
from fullscript_pipeline.web.fullscript_app import FullscriptApp, SessionTokens, clinic_id_of

PLAN_LINK = detail("plan_link", "/clinic/dynamic_links/treatment_plans/{id}", scopes.CLINIC, filters=("entrypoint",))
NEW_PLAN_LINK = detail("new_plan_link", "/clinic/dynamic_links/treatment_plans", scopes.CLINIC)
DRAFT_PATH = "/clinic/dynamic_links/gateway/treatment_plans"
GRANT_PATH = "/clinic/embeddable/session_grants"
_LONGEST = 4000


def plan_link(reader: ClinicSession, server: ServerSettings, treatment_plan_id: str, entrypoint: str) -> str:
    """The address at which this user edits the plan, beginning at `catalog` or `labs`.

    Raises errors of `api`: NotFound, ScopeError, BadResponse for a link to another host.
    """
    response = reader.fetch_response(PLAN_LINK, {"id": treatment_plan_id}, {"entrypoint": entrypoint})
    return _checked_link(server, response, _object(response).get("redirect_url"))


def new_plan_link(reader: ClinicSession, server: ServerSettings) -> str:
    """The address at which this user begins a plan for whomever they choose there. Raises as `plan_link`."""
    response = reader.fetch_response(NEW_PLAN_LINK)
    return _checked_link(server, response, _object(response).get("redirect_url"))


def draft_link(app: FullscriptApp, tokens: SessionTokens, patient_id: str) -> str:
    """The address of a new draft plan for this patient: Fullscript makes the draft. Raises as `plan_link`."""
    response = _post(app, tokens, DRAFT_PATH, {"patient": {"id": patient_id}})
    links = _object(response).get("dynamic_links")
    return _checked_link(app.server, response, links.get("redirect_url") if isinstance(links, dict) else None)


def order_link(reader: ClinicSession, treatment_plan_id: str) -> str:
    """The address at which the patient orders the plan's products: a secret. Raises NotFound where there is none."""
    found = reader.fetch_object("treatment_plan", {"id": treatment_plan_id})
    link = found.record.get("invitation_url")
    if isinstance(link, str) and link.startswith("https://") and _is_plain(link):
        return link
    server, key = reader.clinic.server, reader.clinic.clinic_key
    request = RequestSummary(
        endpoint="treatment_plan",
        server=server,
        clinic=key,
        method="GET",
        url="",
        status=None,
        request_id=found.request_id,
    )
    raise NotFound(request, "the plan has no order link", "Open the plan in Fullscript.")


def session_grant(app: FullscriptApp, tokens: SessionTokens) -> str:
    """What signs this user in to the embedded part of Fullscript, once, within two minutes. Raises errors of `api`."""
    response = _post(app, tokens, GRANT_PATH, {})
    token = _object(response).get("secret_token")
    if not isinstance(token, str) or not token:
        raise BadResponse(response.request_summary(), "the answer has no token", "Try again later.")
    return token


def leads_to(server: ServerSettings, link: str) -> bool:
    """Whether a link leads to a host of this server: of the vendor's over TLS, or exactly the one in its settings."""
    try:
        parts = urlsplit(link)
        own = {(urlsplit(url).scheme, urlsplit(url).netloc) for url in (server.api_url, server.authorize_url)}
        if parts.username is not None or parts.password is not None or not _is_plain(link):
            return False
        of_vendor = parts.scheme == "https" and parts.port in (None, 443) and is_vendor_host(parts.hostname or "")
        return of_vendor or (parts.scheme, parts.netloc) in own
    except ValueError:
        return False


def _is_plain(link: str) -> bool:
    return len(link) <= _LONGEST and link.isascii() and link.isprintable() and not set(link) & set(' "<>\\')


def _object(response: HttpResponse) -> Mapping[str, Any]:
    body = response.json()
    return body if isinstance(body, dict) else {}


def _checked_link(server: ServerSettings, response: HttpResponse, link: object) -> str:
    if isinstance(link, str) and leads_to(server, link):
        return link
    raise BadResponse(
        response.request_summary(),
        "the link leads to another host than this server's",
        "Nobody was sent there. Tell the vendor, quoting the X-Request-Id.",
    )


def _post(app: FullscriptApp, tokens: SessionTokens, path: str, body: Mapping[str, Any]) -> HttpResponse:
    """Sends it once: it is not known whether a POST that failed was carried out. Only a refused token is renewed."""
    request = HttpRequest(endpoint=path, server=app.server.name, url=f"{app.server.api_url}{path}", json=body)
    access = tokens.access_token()
    app.budget.acquire("present")
    response = app.client.send(request.with_bearer(access))
    if response.status == 401:
        app.budget.acquire("present")
        response = app.client.send(request.with_bearer(tokens.renew(access)))
    if response.status == 401 and _works_elsewhere(app, tokens):
        raise _missing_scope(response.request_summary())
    if problem := error_for(response):
        raise problem
    return response


def _works_elsewhere(app: FullscriptApp, tokens: SessionTokens) -> bool:
    try:
        clinic_id_of(app.reader(tokens))
    except FullscriptError:
        return False
    return True


def _missing_scope(request: RequestSummary) -> ScopeError:
    what = "this token may not do it, although it works elsewhere"
    return ScopeError(request, what, "Give the portal's app the scope.")
