"""The job that writes what operators see in the portal, and its schedule; without an OpenID provider it never runs.

What does not belong here: what is in the file (`health.overview`), who sees it (`web`).
"""

import dagster as dg

from fullscript_pipeline.health import check_all, operators_file
from fullscript_pipeline.orchestration.assets import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import ReportsResource, StateResource
from fullscript_pipeline.plural import counted


@dg.op(description="Runs every check of `doctor`, and writes the result with the clinics' last pulls for the portal.")
def write_overview(context: dg.OpExecutionContext, state: StateResource, reports: ReportsResource) -> None:
    settings = state.settings.read()
    with pipeline_errors_as_failures():
        findings = list(check_all(settings))
        store = reports.open()
        store.write(store.path_for_operators(), operators_file(settings, findings))
    failures = sum(finding.state == "fail" for finding in findings)
    context.log.info(f"{counted(len(findings), 'check')}, {failures} failed.")


@dg.job(
    name="operators_overview",
    description="Writes coverage and health for operators of the portal. Its schedule requests it.",
)
def operators_overview() -> None:
    write_overview()


def operators_overview_schedule(
    _context: dg.ScheduleEvaluationContext, state: StateResource
) -> dg.RunRequest | dg.SkipReason:
    if not state.settings.read().web_oidc_issuer:
        return dg.SkipReason("FULLSCRIPT_WEB_OIDC_ISSUER is not set: no operator signs in to a portal.")
    return dg.RunRequest()
