"""Where an answer came from: the envelope of a landed answer, and the reader view that fetched it.

What does not belong here: what a view proves (`warehouse.loading`).
"""

from datetime import UTC, datetime

from fullscript_pipeline.api import ClinicRef, ClinicSession, Grant, missing_read_scopes
from fullscript_pipeline.warehouse import Envelope
from fullscript_pipeline.warehouse.loading import View, common_view


def envelope_of(
    session: ClinicSession, fetched_at: datetime, request_id: str | None, parent: str | None = None
) -> Envelope:
    """Returns the envelope of an answer that the session has fetched. `parent`: the object that it was listed under."""
    return Envelope(
        clinic_id=session.clinic.clinic_id,
        region=session.clinic.region,
        fetched_at=fetched_at.astimezone(UTC).isoformat(),
        request_id=request_id,
        parent_id=parent,
        seen_as=[(user, sorted(scopes)) for user, scopes in session.viewers],
    )


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
    return View(clinic_id=clinic_id, user_id=user, scopes=scopes, lacks=frozenset(missing_read_scopes(scopes)))
