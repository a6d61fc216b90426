"""The reader view of an answer: the user and scopes of the tokens that may have fetched it.

What does not belong here: what a view proves (`warehouse.loading`).
"""

from fullscript_pipeline.api import ClinicRef, ClinicSession, Grant, missing_read_scopes
from fullscript_pipeline.warehouse import Envelope
from fullscript_pipeline.warehouse.loading import View, common_view


def view_of_envelope(envelope: Envelope | None) -> View | None:
    """Returns the view of a landed answer; None when it is unknown, or of more than one user."""
    if envelope is None:
        return None
    views = [_view(envelope.clinic_id, user, frozenset(scopes)) for user, scopes in envelope.seen_as]
    return common_view(views)


def session_view(session: ClinicSession) -> View | None:
    """Returns the view of a session's next listing; None when it is of more than one user."""
    return common_view([_view(session.clinic.clinic_id, user, scopes) for user, scopes in session.viewers])


def grant_view(clinic: ClinicRef, grant: Grant) -> View:
    """Returns the view of a session with this grant."""
    return _view(clinic.clinic_id, grant.user_id or None, frozenset(grant.scopes))


def _view(clinic_id: str, user: str | None, scopes: frozenset[str]) -> View:
    return View(clinic_id, user, scopes, frozenset(missing_read_scopes(scopes)))
