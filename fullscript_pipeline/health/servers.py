"""Checks of each server: it answers, API and sign-in page are at their addresses, clocks agree, requests are left.

What does not belong here: tokens (`clinics`).
"""

from collections.abc import Iterator

from fullscript_pipeline.api import FullscriptError, ServerProbe, check_api_address, check_sign_in_page, probe_server
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped
from fullscript_pipeline.health.settings_and_files import configured_servers
from fullscript_pipeline.settings import ServerSettings, Settings
from fullscript_pipeline.state import StateStore

# Webhook signatures are refused at 300 s; a day ends at midnight of this clock.
_MAX_CLOCK_OFFSET_SECONDS = 60


def check_servers(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """Four findings for every configured server. Sends two requests to each, more only when the address is wrong."""
    for server in configured_servers(settings):
        probe: ServerProbe | FullscriptError
        try:
            probe = probe_server(server)
        except FullscriptError as error:
            probe = error
        yield _check_clock(server, probe)
        yield _check_address(server, probe)
        yield _check_sign_in(server, settings.redirect_uri)
        yield _check_budget(settings, store, server)


def _check_clock(server: ServerSettings, probe: ServerProbe | FullscriptError) -> Finding:
    check = f"server.{server.name}.clock"
    try:
        if isinstance(probe, FullscriptError):
            raise probe
        seconds = probe.clock_offset().total_seconds()
    except FullscriptError as error:
        return failed_by(check, error, f"Check the network and {server.variable('API_URL')}.")
    what = f"the server answers; its clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    if abs(seconds) > _MAX_CLOCK_OFFSET_SECONDS:
        return failed(check, what, "Synchronise this machine's clock (NTP).")
    return passed(check, what)


def _check_address(server: ServerSettings, probe: ServerProbe | FullscriptError) -> Finding:
    check = f"server.{server.name}.address"
    try:
        recognised = check_api_address(server, probe.answer if isinstance(probe, ServerProbe) else probe)
    except FullscriptError as error:
        return failed_by(check, error)
    if not recognised:
        return skipped(check, f"the answer from {server.variable('API_URL')} does not show whether it is the API")
    return passed(check, "the API answers at its address")


def _check_sign_in(server: ServerSettings, redirect_uri: str) -> Finding:
    check = f"server.{server.name}.sign_in"
    try:
        recognised = check_sign_in_page(server, redirect_uri)
    except FullscriptError as error:
        return failed_by(check, error)
    if not recognised:
        return skipped(check, f"the answer from {server.variable('AUTHORIZE_URL')} does not show if it knows the app")
    return passed(check, "the sign-in page knows the app and its redirect URI")


def _check_budget(settings: Settings, store: StateStore | None, server: ServerSettings) -> Finding:
    check = f"server.{server.name}.budget"
    if store is None:
        return skipped(check, "requests are counted in the state store, which is missing or cannot be used")
    budget = store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
    try:
        used, pause = budget.used(), budget.held_seconds()
    except PipelineError as error:
        return failed_by(check, error)
    left = max(budget.limit - used, 0)
    paused = f"; the server asked for a pause of {pause:.0f} s more" if pause else ""
    return passed(check, f"{left:,} of {budget.limit:,} requests left in these five minutes{paused}")
