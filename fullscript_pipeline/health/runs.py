"""Checks for failed runs without a later success.

Reads Dagster's own SQLite file without importing Dagster, which would take seconds. The names of its tables are pinned
with its version, and a test reads a real run. What does not belong here: why a run failed (its page says).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.health.finding import Finding, passed, skipped, warned
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore

_WITHIN = timedelta(days=3)
# A run that only rewrites pages after a failed pull does not count as a success. `+` makes SQLite scan the runs of
# these days once, instead of walking all runs with a tag for each of them.
_FAILED = """WITH finished AS (
    SELECT r.id, r.run_id, r.status, r.pipeline_name AS job,
        coalesce(max(CASE WHEN t.key <> 'fullscript/pages_only' THEN t.value END), '') AS owner
    FROM runs r LEFT JOIN run_tags t ON t.run_id = r.run_id AND +t.key IN ('fullscript/clinic', 'fullscript/region',
        'dagster/partition/clinic', 'dagster/partition/region', 'fullscript/pages_only')
    WHERE r.status IN ('SUCCESS', 'FAILURE') AND r.update_timestamp > ?
    GROUP BY r.id HAVING coalesce(max(t.key = 'fullscript/pages_only'), 0) = 0)
SELECT trim(job || ' ' || owner) || ' (run ' || substr(run_id, 1, 8) || ')', owner FROM (
    SELECT *, row_number() OVER (PARTITION BY job, owner ORDER BY id DESC) AS place FROM finished)
WHERE place = 1 AND status = 'FAILURE' ORDER BY 1"""


def check_runs(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """One finding: the jobs and clinics or regions whose last run within `_WITHIN` failed."""
    path = settings.dagster_home / "history/runs.db"
    if not path.exists():
        yield passed("runs.failed", "nothing has run here yet")
        return
    since = (clock.real_now() - _WITHIN).strftime("%Y-%m-%d %H:%M:%S")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            failures = connection.execute(_FAILED, [since]).fetchall()
    except sqlite3.Error as problem:
        yield skipped("runs.failed", f"{path} cannot be read ({problem})")
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
