"""What a run is called in messages: its job, or what Dagster makes for assets that a person launched from their page.

What does not belong here: Dagster; the checks of `doctor` and log lines call runs by these names, too.
"""

from collections.abc import Iterable

# Every run that the UI launches from assets instead of a job, backfills included, is of a job that Dagster calls so.
OF_CHOSEN_ASSETS = "__ASSET_JOB"


def plain_job_name(job: str, assets: Iterable[str] = ()) -> str:
    """The job's name; of chosen assets the first one's, and how many more there are."""
    if not job.startswith(OF_CHOSEN_ASSETS):
        return job
    first, *others = sorted(assets) or [""]
    return f"materialize {first}".strip() + (f" and {len(others)} more" if others else "")
