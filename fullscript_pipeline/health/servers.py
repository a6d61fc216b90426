"""Does each server answer, are API and sign-in page where they are said to be, is its clock ours, what is left of the
request budget.

What does not belong here: tokens (`clinics`).
"""

from collections.abc import Iterator

from fullscript_pipeline.api import FullscriptError, ServerProbe, check_api_address, check_sign_in_page, probe_server
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped
from fullscript_pipeline.health.settings_and_files import configured
from fullscript_pipeline.settings import ServerSettings, Settings
from fullscript_pipeline.state import StateStore

# Webhook signatures are refused at 300 s; a day ends at midnight of this clock.
_MOST_SECONDS_OFF = 60


def check_servers(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """Four findings for every server whose app is set up; two requests each, more only where the address is wrong."""
    for server in configured(settings):
        first: ServerProbe | FullscriptError
        try:
            first = probe_server(server)
        except FullscriptError as error:
            first = error
        yield _clock(server, first)
        yield _address(server, first)
        yield _sign_in(server, settings.redirect_uri)
        yield _budget(settings, store, server)


def _clock(server: ServerSettings, first: ServerProbe | FullscriptError) -> Finding:
    check = f"server.{server.name}.clock"
    try:
        if isinstance(first, FullscriptError):
            raise first
        seconds = first.clock_offset().total_seconds()
    except FullscriptError as error:
        return failed_by(check, error, f"Check the network and {server.variable('API_URL')}.")
    told = f"the server answers; its clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    if abs(seconds) > _MOST_SECONDS_OFF:
        return failed(check, told, "Set this machine's clock by the network (NTP).")
    return passed(check, told)


def _address(server: ServerSettings, first: ServerProbe | FullscriptError) -> Finding:
    check = f"server.{server.name}.address"
    try:
        recognised = check_api_address(server, first.answer if isinstance(first, ServerProbe) else first)
    except FullscriptError as error:
        return failed_by(check, error)
    if not recognised:
        return skipped(check, f"what answers at {server.variable('API_URL')} does not tell whether it is the API")
    return passed(check, "the API answers at its address")


def _sign_in(server: ServerSettings, redirect_uri: str) -> Finding:
    check = f"server.{server.name}.sign_in"
    try:
        recognised = check_sign_in_page(server, redirect_uri)
    except FullscriptError as error:
        return failed_by(check, error)
    if not recognised:
        return skipped(check, f"what answers at {server.variable('AUTHORIZE_URL')} does not tell if it knows our app")
    return passed(check, "the sign-in page knows our app and its redirect URI")


def _budget(settings: Settings, store: StateStore | None, server: ServerSettings) -> Finding:
    check = f"server.{server.name}.budget"
    if store is None:
        return skipped(check, "requests are counted in the state store, which is not there or cannot be used")
    budget = store.request_budget(server.name, server.client_id or "", settings.requests_per_5_min)
    try:
        used, pause = budget.used(), budget.held_seconds()
    except PipelineError as error:
        return failed_by(check, error)
    left = max(budget.limit - used, 0)
    held = f"; the server asked for a pause of {pause:.0f} s more" if pause else ""
    return passed(check, f"{left:,} of {budget.limit:,} requests left in these five minutes{held}")
