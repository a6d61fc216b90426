"""Checks of each server: it answers, API and sign-in page are at their addresses, clocks agree, requests are left, and
what its last probe saw.

What does not belong here: tokens (`clinics`).
"""

from collections.abc import Iterator

from fullscript_pipeline.api import (
    FullscriptError,
    ServerProbe,
    check_api_address,
    check_sign_in_page,
    probe_server,
    stored_assumptions,
)
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped
from fullscript_pipeline.health.settings_and_files import configured_servers
from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.probe import judge_report, read_report, report_path, unsupported_facts
from fullscript_pipeline.settings import ServerSettings, Settings
from fullscript_pipeline.state import StateStore

# Webhook signatures are refused at 300 s; a day ends at midnight of this clock.
_MAX_CLOCK_OFFSET_SECONDS = 60


def check_servers(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """Five findings for every configured server. Sends two requests to each, more only when the address is wrong."""
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
        yield _check_probe(settings, store, server)


def _check_clock(server: ServerSettings, probe: ServerProbe | FullscriptError) -> Finding:
    check = f"server.{server.name}.clock"
    try:
        if isinstance(probe, FullscriptError):
            raise probe
        seconds = probe.clock_offset().total_seconds()
    except FullscriptError as error:
        sandbox = " A sandbox of this machine runs with `ui` (the demo's) or `sandbox serve` only."
        fix = f"Check the network and {server.variable('API_URL')}.{sandbox if is_loopback(server.api_url) else ''}"
        return failed_by(check, error, fix)
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


def _check_probe(settings: Settings, store: StateStore | None, server: ServerSettings) -> Finding:
    """What the last probe saw, and which switches rely on it."""
    check = f"server.{server.name}.probe"
    path, switches = report_path(settings.data_dir, server.name), sorted(_switches(store, server))
    assumed = f"; assumed: {', '.join(switches)}" if switches else ""
    if not path.exists():
        probe = f"`fullscript-pipeline probe {server.name}` compares them"
        return passed(check, f"answers are read as documented; {probe}{assumed}")
    try:
        judged = judge_report(read_report(path))
        wrong = {name for switch in switches for name in unsupported_facts(switch, judged)}
    except PipelineError as error:
        return failed_by(check, error)
    differing = [each.fact.name for each in judged if each.verdict.word == "differs"]
    what = f"of {len(judged)} facts these differ: {', '.join(differing) or 'none'}{assumed}"
    if wrong:
        fix = (
            f"Run `fullscript-pipeline probe {server.name} --forget SWITCH`, since it needs {', '.join(sorted(wrong))}."
        )
        return failed(check, what, fix)
    return passed(check, what)


def _switches(store: StateStore | None, server: ServerSettings) -> frozenset[str]:
    try:
        return stored_assumptions(store.facts, server.name) if store else frozenset()
    except PipelineError:
        return frozenset()
