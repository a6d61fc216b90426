"""What a clinic may not read is not a failure: it is recorded, with the reason, and the run goes on.

What does not belong here: how a refusal is recognised (`api`), and what a table keeps of it (`warehouse`).
"""

from collections.abc import Sequence

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine.list_progress import FetchedList
from fullscript_pipeline.extraction.engine.pull import Pull, Report


def fetch_list_or_refusal(
    pull: Pull, session: ClinicSession, endpoint: str, params: dict[str, str] | None = None
) -> FetchedList | Report:
    """The walked list; or, when the server refuses it (403, or 404 on a whole list), the report that says so."""
    try:
        return pull.walk(session, endpoint, params=params)
    except (ScopeError, NotFound) as refusal:
        return pull.record_refusal(str(refusal))


def record_refusal_by_all(pull: Pull, refusals: Sequence[Exception]) -> Report:
    """No clinic of the region could read it. A refusal of the server's tells more than a grant that has died.

    Raises NeedsConnect when every grant has: then a person must act.
    """
    server_refusals = [refusal for refusal in refusals if not isinstance(refusal, NeedsConnect)]
    if refusals and not server_refusals:
        raise refusals[-1]
    return pull.record_refusal(
        str(server_refusals[-1]) if server_refusals else "No connected clinic of this region could be asked."
    )
