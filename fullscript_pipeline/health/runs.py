"""Checks for failed runs without a later success.

Reads Dagster's own tables without importing Dagster, which would take seconds. Their names are pinned with its version,
and a test reads a real run. What does not belong here: why a run failed (its page says).
"""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from fullscript_pipeline import clock
from fullscript_pipeline.health.finding import Finding, passed, skipped, warned
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, history_address

_WITHIN = timedelta(days=3)
# A run that only rewrites pages after a failed pull does not count as a success. `|| ''` makes SQLite scan the runs of
# these days once, instead of walking all runs with a tag for each of them. What a person launched from an asset's page
# (`__ASSET_JOB`) is over when a pull of the same clinic or region has succeeded since.
_FAILED = """WITH finished AS (
    SELECT r.id, r.run_id, r.status, r.pipeline_name AS job,
        coalesce(max(CASE WHEN t.key <> 'fullscript/pages_only' THEN t.value END), '') AS owner
    FROM runs r LEFT JOIN run_tags t ON t.run_id = r.run_id
        AND t.key || '' IN ('fullscript/clinic', 'fullscript/region',
        'dagster/partition/clinic', 'dagster/partition/region', 'fullscript/pages_only')
    WHERE r.status IN ('SUCCESS', 'FAILURE') AND r.update_timestamp > :since
    GROUP BY r.id HAVING max(CASE WHEN t.key = 'fullscript/pages_only' THEN 1 ELSE 0 END) = 0)
SELECT trim(replace(job, '__ASSET_JOB', 'materialize') || ' ' || owner) || ' (run ' || substr(run_id, 1, 8) || ')',
    owner FROM (SELECT *, row_number() OVER (PARTITION BY job, owner ORDER BY id DESC) AS place FROM finished) AS placed
WHERE place = 1 AND status = 'FAILURE' AND NOT (job = '__ASSET_JOB' AND EXISTS (
    SELECT 1 FROM finished AS later WHERE later.owner = placed.owner AND later.id > placed.id
        AND later.status = 'SUCCESS' AND later.job IN ('clinic_daily', 'catalog_daily')))
ORDER BY 1"""


def check_runs(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """One finding: the jobs and clinics or regions whose last run within `_WITHIN` failed."""
    path = settings.dagster_home / "history/runs.db"
    if not (settings.state_url or path.exists()):
        yield passed("runs.failed", "nothing has run here yet")
        return
    since = (clock.real_now() - _WITHIN).strftime("%Y-%m-%d %H:%M:%S")
    address = (
        history_address(settings.state_url) if settings.state_url else f"sqlite:///{path.as_uri()}?mode=ro&uri=true"
    )
    try:
        with create_engine(address, poolclass=NullPool).connect() as connection:
            failures = connection.execute(text(_FAILED), {"since": since}).all()
    except DBAPIError as problem:
        what = settings.state_place if settings.state_url else path
        yield skipped("runs.failed", f"{what} cannot be read ({str(problem.orig).partition(chr(10))[0]})")
        return
    # A disconnected clinic gets no later run.
    disconnected = (
        {clinic.clinic_key for clinic in store.clinics.all(with_removed=True) if clinic.status == "removed"}
        if store
        else set()
    )
    unresolved = [str(run) for run, owner in failures if owner not in disconnected]
    if unresolved:
        what = f"failed without a later success: {', '.join(unresolved)}"
        yield warned(
            "runs.failed", what, "The run's page in the UI (Runs) shows why; or run `pull` and read its error."
        )
    else:
        yield passed("runs.failed", "no recent failed run without a later success")
