"""Stores the grants of users (their token pairs) and the OAuth states of connects in progress.

What does not belong here: when and how tokens are renewed (`api.tokens`).
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Table, delete, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, Grant, RequestSummary, grant_preference
from fullscript_pipeline.errors import Busy
from fullscript_pipeline.state.database import LockNotFree, insert_into
from fullscript_pipeline.state.event_tries import reopen_unreadable
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import clinics, grants, oauth_states, token_failures
from fullscript_pipeline.state.sealed_columns import ACCESS_TOKEN, PREVIOUS_REFRESH_TOKEN, REFRESH_TOKEN

OAUTH_STATE_LIFE = timedelta(minutes=10)
# Longer than the slowest renewal (two calls of two minutes) of the process that holds it.
_LOCK_SECONDS = 300.0

StateVerdict = Literal["ok", "unknown", "used", "expired"]


class GrantRecords(StorePart):
    """The grants of users, and the OAuth states of connects in progress."""

    def save_grant(self, clinic: ClinicRef, grant: Grant, *, expected_generation: int | None = None) -> bool:
        """Stores the pair as generation + 1 and sets the clinic's status to ok.

        With `expected_generation`, only if the stored grant still has it and is in use. False: another writer (a
        connect, a disconnect) was faster, and its grant stays. A new connect, or other scopes, reopen refused events.
        """
        with self.db.write() as connection:
            before = connection.execute(
                select(grants.c.generation, grants.c.scopes, grants.c.status).where(of_user(clinic, grant.user_id))
            ).first()
            stored_generation = before.generation if before else None
            in_use = before is not None and before.status != "to_be_revoked"
            if expected_generation is not None and (stored_generation != expected_generation or not in_use):
                return False
            row = self._row(clinic, grant, generation=(stored_generation or 0) + 1)
            if expected_generation is None or before is None or before.scopes != row["scopes"]:
                reopen_unreadable(connection, clinic)
            statement = insert_into(connection, grants).values(row)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["server", "clinic_id", "user_id"], set_=row)
            )
            healthy = {"status": "ok", "status_reason": None, "updated_at": row["updated_at"]}
            sick = of_clinic(clinics, clinic) & (clinics.c.status == "needs_connect")
            connection.execute(update(clinics).where(sick).values(healthy))
            connection.execute(delete(token_failures).where(of_clinic(token_failures, clinic)))
        return True

    def load_grant(self, clinic: ClinicRef) -> Grant | None:
        """The best working grant: the widest scopes, then the most visible patients. None: there is none.

        Equal users are ordered by id, not by the last renewal, so that the reader does not alternate.
        """
        ok = self._grants(clinic, only_ok=True)
        return max(
            ok, key=lambda grant: grant_preference(grant.scopes, grant.patients_visible, grant.user_id), default=None
        )

    def grants(self, clinic: ClinicRef) -> list[Grant]:
        """Every grant of the clinic, including dead ones and those to be revoked."""
        return self._grants(clinic, only_ok=False)

    def mark_grant_dead(self, clinic: ClinicRef, user_id: str, generation: int, reason: str) -> None:
        """Marks a pair that the server rejects for good; if it was the last, the clinic needs a connect.

        One transaction, so that a clinic without a grant never appears as ok, and a clinic that is being connected
        never appears as dead. The row stays: tokens are never deleted here.
        """
        moment = clock.real_now().isoformat()
        with self.db.write() as connection:
            connection.execute(
                update(grants)
                .where(of_user(clinic, user_id), grants.c.generation == generation)
                .values(status="dead", updated_at=moment)
            )
            left = select(grants.c.user_id).where(of_clinic(grants, clinic), grants.c.status == "ok")
            connection.execute(
                update(clinics)
                .where(of_clinic(clinics, clinic), clinics.c.status == "ok", ~left.exists())
                .values(status="needs_connect", status_reason=reason, updated_at=moment)
            )

    def record_token_failure(self, clinic: ClinicRef, request: RequestSummary) -> None:
        """Records that the token endpoint failed, so that no process calls it for a while."""
        row = {"server": clinic.server, "clinic_id": clinic.clinic_id}
        failure = {"failed_s": clock.real_now().timestamp(), "asked": json.dumps(asdict(request))}
        with self.db.write() as connection:
            statement = insert_into(connection, token_failures).values(**row, **failure)
            connection.execute(statement.on_conflict_do_update(index_elements=list(row), set_=failure))

    def token_failure(self, clinic: ClinicRef, within: float) -> RequestSummary | None:
        """The request that failed within the last `within` seconds (real time), if no renewal has succeeded since."""
        query = select(token_failures).where(of_clinic(token_failures, clinic))
        with self.db.read() as connection:
            row = connection.execute(query).first()
        recent = row is not None and 0 <= clock.real_now().timestamp() - row.failed_s < within
        return RequestSummary(**json.loads(row.asked)) if row is not None and recent else None

    def confirm_grant(self, clinic: ClinicRef, user_id: str, generation: int) -> None:
        """Deletes the previous refresh token, after the new access token was accepted."""
        with self.db.write() as connection:
            connection.execute(
                update(grants)
                .where(of_user(clinic, user_id), grants.c.generation == generation)
                .values(previous_refresh_token=None)
            )

    @contextmanager
    def grant_lock(self, clinic: ClinicRef) -> Iterator[None]:
        """Allows one renewal at a time for this clinic, over processes and machines. Raises Busy after five minutes.

        It is no transaction, because other rows must stay writable during the token call.
        """
        try:
            with self.db.named_lock(f"{clinic.server} {clinic.clinic_id}", _LOCK_SECONDS):
                yield
        except LockNotFree:
            raise Busy(
                f"Another process has been renewing the token of clinic {clinic.clinic_key} for {_LOCK_SECONDS:.0f} s: "
                "wait for it, or stop it, and run this again."
            ) from None

    def new_oauth_state(self, server: str) -> str:
        """Makes a random OAuth state for a connect to `server`; only its hash is stored."""
        state = secrets.token_urlsafe(32)
        moment = clock.real_now().timestamp()
        with self.db.write() as connection:
            old = moment - 24 * OAUTH_STATE_LIFE.total_seconds()
            connection.execute(delete(oauth_states).where(oauth_states.c.created_s < old))
            connection.execute(
                insert_into(connection, oauth_states).values(state_hash=_hash(state), server=server, created_s=moment)
            )
        return state

    def use_oauth_state(self, server: str, state: str) -> StateVerdict:
        """Checks and uses up `state`: "ok" for the first check within ten minutes of real time, for this server."""
        moment = clock.real_now().timestamp()
        mine = (oauth_states.c.state_hash == _hash(state)) & (oauth_states.c.server == server)
        with self.db.write() as connection:
            row = connection.execute(select(oauth_states).where(mine)).first()
            if row is None:
                return "unknown"
            if row.used_s is not None:
                return "used"
            connection.execute(update(oauth_states).where(mine).values(used_s=moment))
            age = moment - row.created_s
            # The age is negative if the clock was set back; such a state counts as expired.
            return "ok" if 0 <= age <= OAUTH_STATE_LIFE.total_seconds() else "expired"

    def _grants(self, clinic: ClinicRef, *, only_ok: bool) -> list[Grant]:
        query = select(grants).where(of_clinic(grants, clinic))
        if only_ok:
            query = query.where(grants.c.status == "ok")
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(grants.c.user_id)).all()
        return [self._grant(row) for row in rows]

    def _grant(self, row: Row[Any]) -> Grant:
        previous = row.previous_refresh_token
        return Grant(
            user_id=row.user_id,
            user_type=row.user_type,
            scopes=tuple(row.scopes.split()),
            obtained_at=datetime.fromisoformat(row.obtained_at),
            expires_at=datetime.fromisoformat(row.expires_at),
            access_token=self.keyring.open(row.access_token, ACCESS_TOKEN.of_row(row)),
            refresh_token=self.keyring.open(row.refresh_token, REFRESH_TOKEN.of_row(row)),
            previous_refresh_token=(
                self.keyring.open(previous, PREVIOUS_REFRESH_TOKEN.of_row(row)) if previous else None
            ),
            generation=row.generation,
            patients_visible=row.patients_visible,
        )

    def _row(self, clinic: ClinicRef, grant: Grant, generation: int) -> dict[str, Any]:
        previous, user = grant.previous_refresh_token, (clinic.server, clinic.clinic_id, grant.user_id)
        return {
            "server": clinic.server,
            "clinic_id": clinic.clinic_id,
            "user_id": grant.user_id,
            "user_type": grant.user_type,
            "scopes": " ".join(grant.scopes),
            "patients_visible": grant.patients_visible,
            "access_token": self.keyring.seal(grant.access_token, ACCESS_TOKEN.at(*user)),
            "refresh_token": self.keyring.seal(grant.refresh_token, REFRESH_TOKEN.at(*user)),
            "previous_refresh_token": (
                self.keyring.seal(previous, PREVIOUS_REFRESH_TOKEN.at(*user)) if previous else None
            ),
            "obtained_at": grant.obtained_at.isoformat(),
            "expires_at": grant.expires_at.isoformat(),
            "generation": generation,
            "status": "ok",
            "status_reason": None,
            "updated_at": clock.real_now().isoformat(),
        }


def of_clinic(table: Table, clinic: ClinicRef | Row[Any]) -> ColumnElement[bool]:
    return (table.c.server == clinic.server) & (table.c.clinic_id == clinic.clinic_id)


def of_user(clinic: ClinicRef | Row[Any], user_id: str) -> ColumnElement[bool]:
    return of_clinic(grants, clinic) & (grants.c.user_id == user_id)


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
