"""Webhook deliveries that could not be handled.

What does not belong here: whether deliveries arrive at all; the vendor's own list of them is asked for that (the
check `webhooks_are_not_silent` of the UI).
"""

from collections.abc import Iterator

from fullscript_pipeline.counted import counted
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding, failed_by, passed, warned
from fullscript_pipeline.state import StateStore


def check_inbox(store: StateStore) -> Iterator[Finding]:
    """One finding."""
    try:
        failed = len(store.deliveries(["failed"], with_body=False))
    except PipelineError as error:
        yield failed_by("webhooks.inbox", error)
        return
    if failed:
        yield warned(
            "webhooks.inbox",
            f"{counted(failed, 'delivery', 'deliveries')} could not be handled",
            "`fullscript-pipeline webhooks inbox list` says why; `replay` hands them over again, `ignore` leaves them.",
        )
    else:
        yield passed("webhooks.inbox", "nothing failed")
