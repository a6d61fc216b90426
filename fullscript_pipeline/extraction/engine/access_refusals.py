"""Records what a clinic may not read: that is no failure, and the run continues.

What does not belong here: recognising a refusal (`api`), storing it (`warehouse`).
"""

from collections.abc import Callable, Sequence

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine.list_progress import FetchedList
from fullscript_pipeline.extraction.engine.pull import Pull
from fullscript_pipeline.extraction.engine.pull_types import Report


def fetch_list_or_refusal(
    pull: Pull, session: ClinicSession, endpoint: str, params: dict[str, str] | None = None
) -> FetchedList | Report:
    """Lands a list. Returns a report instead when the server refuses it (403, or 404 of a whole list)."""
    try:
        return pull.walk(session, endpoint, params=params)
    except (ScopeError, NotFound) as refusal:
        return pull.record_refusal(str(refusal))


def fetch_from_first_permitted(
    sessions: Sequence[ClinicSession], fetch: Callable[[ClinicSession], list[str]]
) -> list[str] | str:
    """Returns the answer of the first permitted clinic, or the last refusal."""
    reason = "This region has no connected clinic to read it with."
    for session in sessions:
        try:
            return fetch(session)
        except (ScopeError, RequestRefused, NeedsConnect) as refusal:
            reason = str(refusal)
    return reason


def record_refusal_by_all(pull: Pull, refusals: Sequence[Exception]) -> Report:
    """Records that no clinic of the region may read the resource. A refusal of the server is preferred as the reason.

    Raises NeedsConnect when every grant is invalid: then a person must act.
    """
    server_refusals = [refusal for refusal in refusals if not isinstance(refusal, NeedsConnect)]
    if refusals and not server_refusals:
        raise refusals[-1]
    return pull.record_refusal(
        str(server_refusals[-1]) if server_refusals else "This region has no connected clinic to read it with."
    )
