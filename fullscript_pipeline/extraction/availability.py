"""What a clinic may not read is not a failure: it is recorded, with the reason, and the run goes on."""

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.listing import Listing
from fullscript_pipeline.extraction.pull import Pull, Report


def listed_or_refused(
    pull: Pull, session: ClinicSession, endpoint: str, params: dict[str, str] | None = None
) -> Listing | Report:
    """The walked list; or, when the server refuses it (403, or 404 on a whole list), the report that says so."""
    try:
        return pull.walk(session, endpoint, params=params)
    except (ScopeError, NotFound) as refusal:
        return pull.not_available(str(refusal))
