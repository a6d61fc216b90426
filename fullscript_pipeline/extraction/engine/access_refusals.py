"""What a clinic may not read is not a failure: it is recorded, with the reason, and the run goes on.

What does not belong here: how a refusal is recognised (`api`), and what a table keeps of it (`warehouse`).
"""

from collections.abc import Sequence

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine.list_progress import Listing
from fullscript_pipeline.extraction.engine.pull import Pull, Report


def listed_or_refused(
    pull: Pull, session: ClinicSession, endpoint: str, params: dict[str, str] | None = None
) -> Listing | Report:
    """The walked list; or, when the server refuses it (403, or 404 on a whole list), the report that says so."""
    try:
        return pull.walk(session, endpoint, params=params)
    except (ScopeError, NotFound) as refusal:
        return pull.not_available(str(refusal))


def refused_to_all(pull: Pull, refusals: Sequence[Exception]) -> Report:
    """No clinic of the region could read it. A refusal of the server's tells more than a grant that has died.

    Raises NeedsConnect when every grant has: then a person must act.
    """
    told = [one for one in refusals if not isinstance(one, NeedsConnect)]
    if refusals and not told:
        raise refusals[-1]
    return pull.not_available(str(told[-1]) if told else "No connected clinic of this region could be asked.")
