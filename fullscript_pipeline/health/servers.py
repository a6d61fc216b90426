"""Does each server answer, is its clock ours, how much of the request budget is left.

What does not belong here: tokens (`clinics`).
"""

from collections.abc import Iterator

from fullscript_pipeline.api import FullscriptError, clock_offset
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped
from fullscript_pipeline.health.setup import configured
from fullscript_pipeline.settings import ServerSettings, Settings
from fullscript_pipeline.state import StateStore

# Webhook signatures are refused at 300 s; a day ends at midnight of this clock.
_MOST_SECONDS_OFF = 60


def check_servers(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """Two findings for every server whose app is set up; one request each."""
    for server in configured(settings):
        yield _clock(server)
        yield _budget(settings, store, server)


def _clock(server: ServerSettings) -> Finding:
    check = f"server.{server.name}.clock"
    try:
        seconds = clock_offset(server).total_seconds()
    except FullscriptError as error:
        return failed_by(check, error, f"Check the network and {server.variable('API_URL')}.")
    told = f"the server answers; its clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    if abs(seconds) > _MOST_SECONDS_OFF:
        return failed(check, told, "Set this machine's clock by the network (NTP).")
    return passed(check, told)


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
