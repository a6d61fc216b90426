"""Checks whether the configured addresses are those of the API and of its sign-in page, by requests without a token.

It concludes only what a response proves: no response, a 5xx, a 429 or an unknown response leaves the question open.
What does not belong here: how a session treats a 404 (`token_access`), and the clocks (`server_probe`).
"""

import re
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

from fullscript_pipeline.api.errors import AppRefused, BadResponse, FullscriptError, WrongAddress
from fullscript_pipeline.api.http import HttpClient, HttpRequest, HttpResponse
from fullscript_pipeline.api.oauth import authorize_url
from fullscript_pipeline.api.status_errors import wrong_address_error
from fullscript_pipeline.servers import server_at
from fullscript_pipeline.settings import ServerSettings, api_url_advice

PATIENCE_SECONDS = 5.0
# Statuses of the API for a request without a token, and of an address without the API.
_REFUSED = frozenset({400, 401, 403, 422})
_NOT_THERE = frozenset({404, 405, 410})
_BLAMES_THE_APP = re.compile(rb"invalid_client|unauthorized_client|redirect[-_ ]?ur[il]|client[-_ ]?id", re.IGNORECASE)

# The result of a request.
Outcome = HttpResponse | FullscriptError


def check_api_address(server: ServerSettings, first: Outcome | None = None) -> bool:
    """Whether the API was recognised at its address; False if the responses leave it open.

    `first`: the result of GET /clinic, if it was requested already. Raises WrongAddress if the API is certainly not
    there: the address is another server's, or none of the API's endpoints exists.
    """
    _raise_if_of_another_server(server)
    with HttpClient(connect_seconds=PATIENCE_SECONDS, read_seconds=PATIENCE_SECONDS) as client:
        first_outcome = first or _send(client, _clinic_request(server, server.api_url))
        if (verdict := _is_api(first_outcome)) is not False:
            return verdict is True
        request = (
            first_outcome.request_summary
            if isinstance(first_outcome, FullscriptError)
            else first_outcome.request_summary()
        )
        for address in _likely_addresses(server.api_url):
            if _is_api(_send(client, _clinic_request(server, address))):
                what = f"the API is not at this address but at {address}"
                raise WrongAddress(request, what, api_url_advice(server.name))
        # A server may hide its endpoints from clients without a token, but not the token endpoint.
        url = f"{server.api_url}/oauth/token"
        if (
            _is_api(
                _send(
                    client,
                    HttpRequest(endpoint="oauth/token", server=server.name, url=url, json={"grant_type": "none"}),
                )
            )
            is False
        ):
            raise wrong_address_error(request)
    return False


def check_sign_in_page(server: ServerSettings, redirect_uri: str) -> bool:
    """Whether the sign-in page exists for our app; False if the response leaves it open.

    Raises AppRefused if the page does not know the client id or the redirect URI: the vendor answers 404 then.
    """
    url = authorize_url(server, redirect_uri, secrets.token_urlsafe(8))
    with HttpClient(connect_seconds=PATIENCE_SECONDS, read_seconds=PATIENCE_SECONDS) as client:
        page = _send(client, HttpRequest(endpoint="oauth/authorize", server=server.name, url=url, accept="text/html"))
    if isinstance(page, FullscriptError):
        return _is_redirect(page)
    blamed = page.status in (401, 422) and _BLAMES_THE_APP.search(page.body)
    if page.status in (400, 404) or blamed:
        raise AppRefused(
            page.request_summary(),
            f"the sign-in page does not know this app with the redirect URI {redirect_uri}",
            f"Check {server.variable('CLIENT_ID')} and FULLSCRIPT_REDIRECT_URI against the vendor's API dashboard: "
            f"they must be the same to the letter. Check {server.variable('AUTHORIZE_URL')}, too, if it is set.",
        )
    return 200 <= page.status < 300


def _raise_if_of_another_server(server: ServerSettings) -> None:
    for suffix, endpoint, url in (
        ("API_URL", "clinic", server.api_url),
        ("AUTHORIZE_URL", "oauth/authorize", server.authorize_url),
    ):
        owner = server_at(url)
        if owner not in (None, server.name):
            raise WrongAddress(
                HttpRequest(endpoint=endpoint, server=server.name, url=url).request_summary(),
                f"this is an address of the server {owner}",
                f"Set {server.variable(suffix)} to the one of {server.name}, or leave it away.",
            )


def _send(client: HttpClient, request: HttpRequest) -> Outcome:
    try:
        return client.send(request)
    except FullscriptError as problem:
        return problem


def _is_api(outcome: Outcome) -> bool | None:
    """Whether the response is from an endpoint of the API; None: unknown."""
    if isinstance(outcome, FullscriptError):
        return False if _is_redirect(outcome) else None
    if outcome.status in _REFUSED:
        return True
    is_web_page = 200 <= outcome.status < 300 and outcome.body.lstrip()[:1] == b"<"
    return False if outcome.status in _NOT_THERE or is_web_page else None


def _is_redirect(problem: FullscriptError) -> bool:
    return isinstance(problem, BadResponse) and problem.status is not None and 300 <= problem.status < 400


def _clinic_request(server: ServerSettings, address: str) -> HttpRequest:
    return HttpRequest(endpoint="clinic", server=server.name, url=f"{address}/clinic")


def _likely_addresses(address: str) -> Iterator[str]:
    """Addresses that may have been intended: with a single `/api` at the end, and with https."""
    with_api = f"{re.sub(r'/api(/.*)?$', '', address)}/api"
    if with_api != address:
        yield with_api
    if urlsplit(address).scheme == "http":
        yield with_api.replace("http:", "https:", 1)
