"""Runs a probe of one server with the session of one of its clinics.

It only reads: GETs of the endpoints that the token's scopes allow, links left out. On request it also renews the token,
on sandbox servers; every new pair is stored before anything else is sent. What does not belong here: which endpoints
(`request_plan`), judging what was seen (`fact_table`), printing it (`cli.probe`).
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from uuid import uuid4

from fullscript_pipeline.api import (
    ENDPOINTS,
    ClinicRef,
    Grant,
    GrantedTokens,
    HttpClient,
    InvalidGrant,
    SessionStore,
    TokenEndpoint,
)
from fullscript_pipeline.api.description import object_at
from fullscript_pipeline.errors import NeedsConnect, UsageError
from fullscript_pipeline.probe.answer_rows import error_form, find_rows, whole_number
from fullscript_pipeline.probe.date_filters import filter_of, probe_filter
from fullscript_pipeline.probe.endpoint_probes import (
    EndpointProbe,
    keys_that_rows_lack,
)
from fullscript_pipeline.probe.event_feeds import feed_endpoints, probe_feed
from fullscript_pipeline.probe.probe_report import ProbeReport, SeenEndpoint, SeenTokens
from fullscript_pipeline.probe.request_exchange import Exchange, open_exchange
from fullscript_pipeline.probe.request_plan import allowed_endpoints, filtered_lists
from fullscript_pipeline.resources.types import READ_SCOPES, Endpoint
from fullscript_pipeline.settings import Settings

TOKEN_REQUESTS = 4
# A day before the vendor's first one.
_DAY_WITHOUT_ROWS, _NO_DAY = "1990-01-01", "no-day"


def run_probe(
    exchange: Exchange, clinic: ClinicRef, scopes: Collection[str], undocumented: Sequence[Endpoint] = ()
) -> ProbeReport:
    """Probes the server of a clinic. Raises NeedsConnect, WrongAddress or another error that ends every pull too."""
    report = ProbeReport(
        server=clinic.server,
        region=clinic.region,
        scopes=sorted(set(READ_SCOPES) & {scope.lower() for scope in scopes}),
    )
    probe, endpoints = EndpointProbe(exchange), allowed_endpoints(scopes)
    for endpoint in endpoints:
        report.endpoints[endpoint.name] = probe.probe(endpoint)
    _probe_forbidden(exchange, endpoints, report)
    _compare_rows(probe, report)
    _probe_errors(exchange, endpoints, report)
    for endpoint in filtered_lists(endpoints):
        report.filters[endpoint.name] = probe_filter(exchange, endpoint, filter_of(endpoint) or "")
    for feed in feed_endpoints():
        if feed in endpoints:
            report.feeds[feed.name] = probe_feed(exchange, probe, feed, ENDPOINTS["event"])
    for endpoint in undocumented:
        report.undocumented[endpoint.name] = probe.probe_once(endpoint)
    _add_common(exchange, report)
    return report


def _probe_forbidden(exchange: Exchange, endpoints: Sequence[Endpoint], report: ProbeReport) -> None:
    """Sends one request that the token's scopes do not allow: its status is that of a missing scope."""
    forbidden = [endpoint for endpoint in ENDPOINTS.values() if endpoint not in endpoints]
    for endpoint in forbidden:
        report.endpoints[endpoint.name] = SeenEndpoint(outcome="not requested", reason="the token lacks its scope")
    for endpoint in [each for each in forbidden if "{" not in each.path][:1]:
        answer = exchange.get(endpoint)
        if answer.outcome == "refused" and answer.status:
            report.refusals.append(answer.status)


def _compare_rows(probe: EndpointProbe, report: ProbeReport) -> None:
    """Compares each object with its row in every list of its kind."""
    for name, object_id in probe.requested.items():
        for record in probe.rows[name]:
            for listed, rows in probe.rows.items():
                is_list = ENDPOINTS[listed].kind == "list"
                if is_list and object_at(ENDPOINTS[listed].path) == object_at(ENDPOINTS[name].path):
                    lacking = keys_that_rows_lack(rows, record, object_id)
                    report.endpoints[listed].rows_lack = (
                        lacking if lacking is not None else report.endpoints[listed].rows_lack
                    )


def _probe_errors(exchange: Exchange, endpoints: Sequence[Endpoint], report: ProbeReport) -> None:
    """An object that does not exist, a filter that is no day, and a list without rows."""
    if ENDPOINTS["brand"] in endpoints:
        answer = exchange.get(ENDPOINTS["brand"], {"id": str(uuid4())})
        report.error_bodies[str(answer.status)] = error_form(answer.body)
    if filtered := filtered_lists(endpoints):
        name = filter_of(filtered[0]) or ""
        answer = exchange.get(filtered[0], {}, {name: _NO_DAY, "page[size]": "1"})
        if answer.outcome != "answered":
            report.error_bodies[str(answer.status)] = error_form(answer.body)
        answer = exchange.get(filtered[0], {}, {name: _DAY_WITHOUT_ROWS})
        found = find_rows(filtered[0], answer.body)
        if answer.outcome == "answered" and not found.rows:
            report.empty_list_pages = whole_number((found.meta or {}).get("total_pages"))


def _add_common(exchange: Exchange, report: ProbeReport) -> None:
    """What all answers show together."""
    refused = [seen.status for seen in report.endpoints.values() if seen.outcome == "refused" and seen.status]
    report.refusals = sorted({*report.refusals, *refused})
    report.headers = sorted(name for name in exchange.headers if name.replace("-", "").isalpha())
    report.encodings = sorted(exchange.encodings)
    leads = [lead.total_seconds() for lead in exchange.leads]
    report.clock_skew_seconds = round(-median(leads), 1) if leads else None
    report.requests = exchange.sent


def probe_rotation(settings: Settings, store: SessionStore, clinic: ClinicRef) -> SeenTokens:
    """Renews the token three times, and sends a request.

    Raises UsageError for a production server, NeedsConnect without a grant.

    A server that treats a second use of a refresh token as theft may end the authorisation: then `connect` again.
    """
    server = settings.require_app(clinic.server)
    if server.is_production:
        raise UsageError(f"{clinic.server} is a production server: its tokens are renewed when they have to be only.")
    seen = SeenTokens()
    with _token_endpoint(settings, store, clinic) as endpoint:
        with store.tokens.grant_lock(clinic):
            old = _stored(store, clinic).refresh_token
            first = endpoint.refresh(old, clinic.clinic_key)
            _save(store, clinic, first, previous=old)
            seen.owner_has_clinic = first.clinic_id is not None
            seen.new_refresh_token = first.refresh_token != old
            if not seen.new_refresh_token:
                return seen
            seen.old_works_before_use = _renews(endpoint, store, clinic, old)
        scopes = _stored(store, clinic).scopes
        with open_exchange(settings, store, clinic) as exchange:
            exchange.get(next(each for each in allowed_endpoints(scopes) if "{" not in each.path))
        with store.tokens.grant_lock(clinic):
            seen.old_works_after_use = _renews(endpoint, store, clinic, old)
    return seen


@contextmanager
def _token_endpoint(settings: Settings, store: SessionStore, clinic: ClinicRef) -> Iterator[TokenEndpoint]:
    server = settings.require_app(clinic.server)
    budget = store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
    with HttpClient() as client:
        yield TokenEndpoint(server, settings.redirect_uri, client, budget)


def _renews(endpoint: TokenEndpoint, store: SessionStore, clinic: ClinicRef, refresh_token: str) -> bool:
    """Whether the server still accepts a refresh token; a pair that it brings is stored."""
    try:
        tokens = endpoint.refresh(refresh_token, clinic.clinic_key)
    except InvalidGrant:
        return False
    _save(store, clinic, tokens, previous=_stored(store, clinic).refresh_token)
    return True


def _stored(store: SessionStore, clinic: ClinicRef) -> Grant:
    grant = store.tokens.load_grant(clinic)
    if grant is None:
        raise NeedsConnect(f"Clinic {clinic.clinic_key} has no authorisation: run `connect {clinic.server}` first.")
    return grant


def _save(store: SessionStore, clinic: ClinicRef, tokens: GrantedTokens, *, previous: str) -> None:
    grant = _stored(store, clinic)
    new = replace(
        grant,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        previous_refresh_token=previous if previous != tokens.refresh_token else None,
        obtained_at=tokens.obtained_at,
        expires_at=tokens.expires_at,
        scopes=tokens.scopes or grant.scopes,
    )
    store.tokens.save_grant(clinic, new, expected_generation=grant.generation)
