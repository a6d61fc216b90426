"""The users with a grant for a clinic, and grants that are no longer used but not yet revoked at the server.

A grant is deleted only after the server has confirmed its revocation, or when a user gives that up on purpose: a grant
that is lost here while the server accepts it could not be revoked any more. What does not belong here: requests to the
server (`api.authorization_flow`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, Grant, grant_preference
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.state.clinics import Clinic, ClinicRecords
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import clinics, grants
from fullscript_pipeline.state.token_store import GrantRecords, of_clinic, of_user

GrantStatus = Literal["ok", "dead", "to_be_revoked"]
TO_BE_REVOKED: GrantStatus = "to_be_revoked"


@dataclass(frozen=True, kw_only=True)
class ClinicUser:
    """A user who connected, without the tokens.

    `is_used`: pulls use this grant. `changed_at`: since when the status or the token is valid. `reason`: why the server
    has not confirmed the revocation.
    """

    user_id: str
    user_type: str
    status: GrantStatus
    scopes: tuple[str, ...]
    patients_visible: int | None
    expires_at: datetime
    changed_at: datetime
    reason: str | None
    is_used: bool


class RevocationRecords(StorePart):
    """The users of clinics, and grants that are still to be revoked."""

    def __init__(self, clinics: ClinicRecords, tokens: GrantRecords) -> None:
        super().__init__(tokens.db, tokens.keyring)
        self._clinics, self._tokens = clinics, tokens

    def users(self, clinic: ClinicRef) -> list[ClinicUser]:
        """Every user with a grant for this clinic, including dead grants and those to be revoked."""
        query = select(grants).where(of_clinic(grants, clinic)).order_by(grants.c.user_id)
        with self.db.read() as connection:
            rows = connection.execute(query).all()
        working = [row for row in rows if row.status == "ok"]
        used = max(working, key=_worth, default=None)
        return [_user(row, is_used=row is used) for row in rows]

    def clinics_to_disconnect(self) -> list[Clinic]:
        """The connected clinics, and removed ones with a grant that is still to be revoked."""
        owing = select(grants.c.server, grants.c.clinic_id).where(grants.c.status == TO_BE_REVOKED)
        with self.db.read() as connection:
            to_be_revoked = {(row.server, row.clinic_id) for row in connection.execute(owing)}
        every = self._clinics.all(with_removed=True)
        return [
            clinic
            for clinic in every
            if clinic.status != "removed" or (clinic.server, clinic.clinic_id) in to_be_revoked
        ]

    def start_revoking(self, clinic: ClinicRef, user_id: str | None = None) -> list[Grant]:
        """Marks the grants of a clinic, or of one of its users, as to be revoked, and returns them.

        Called before the request to the server: if the process dies, they can still be revoked. Raises UsageError for a
        user without a grant, ConfigurationError if they cannot be decrypted; nothing is changed then.
        """
        every = self._tokens.grants(clinic)
        mine = [grant for grant in every if user_id in (None, grant.user_id)]
        if user_id is not None and not mine:
            users = ", ".join(grant.user_id or '""' for grant in every) or "none"
            raise UsageError(f"Clinic {clinic.clinic_key} has no user {user_id!r}; its users are {users}.")
        marked = {"status": TO_BE_REVOKED, "status_reason": None, "updated_at": clock.real_now().isoformat()}
        with self.db.write() as connection:
            for grant in mine:
                connection.execute(update(grants).where(of_user(clinic, grant.user_id)).values(marked))
            _update_clinic_status(connection, clinic)
        return mine

    def record_not_revoked(self, clinic: ClinicRef, user_id: str, reason: str) -> None:
        """Records that the server has not confirmed the revocation; `reason` is a sentence without secrets."""
        with self.db.write() as connection:
            connection.execute(update(grants).where(of_user(clinic, user_id)).values(status_reason=reason))

    def forget_grant(self, clinic: ClinicRef, user_id: str) -> None:
        """Deletes a grant whose revocation is confirmed or given up. A grant that was renewed meanwhile stays."""
        mine = of_user(clinic, user_id) & (grants.c.status == TO_BE_REVOKED)
        with self.db.write() as connection:
            connection.execute(delete(grants).where(mine))


def _update_clinic_status(connection: Connection, clinic: ClinicRef) -> None:
    """Marks a clinic without users as removed, and one whose grants are all dead as needing a connect."""
    left = {row.status for row in connection.execute(select(grants.c.status).where(of_clinic(grants, clinic)))}
    if "ok" in left:
        return
    changed = {"status": "removed", "status_reason": None, "updated_at": clock.real_now().isoformat()}
    if "dead" in left:
        changed |= {"status": "needs_connect", "status_reason": "the user whose authorisation worked was disconnected"}
    connection.execute(update(clinics).where(of_clinic(clinics, clinic)).values(changed))


def _worth(row: Row[Any]) -> tuple[int, int, str]:
    return grant_preference(row.scopes.split(), row.patients_visible, row.user_id)


def _user(row: Row[Any], *, is_used: bool) -> ClinicUser:
    return ClinicUser(
        user_id=row.user_id,
        user_type=row.user_type,
        status=row.status,
        scopes=tuple(row.scopes.split()),
        patients_visible=row.patients_visible,
        expires_at=datetime.fromisoformat(row.expires_at),
        changed_at=datetime.fromisoformat(row.updated_at),
        reason=row.status_reason,
        is_used=is_used,
    )
