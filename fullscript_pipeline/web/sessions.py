"""The open sessions: who is signed in, of which clinic, with which (sealed) token, and whom they may see.

The id of a session is random and is stored as a hash only. A session that is closed leaves its token to be revoked, in
the same transaction. What does not belong here: HTTP, and talking to Fullscript (`fullscript_app`).
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from fullscript_pipeline.portal_store import PortalDatabase, Seal, hash_of
from fullscript_pipeline.web.schema import revocations, sessions, visible_patients

# The server of sessions of operators, who sign in at an OpenID provider.
OPERATORS = "oidc"
# `seen_s` is written this often at most.
_TOUCH_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class UserTokens:
    """A user's tokens; `ends_s`: when the access token expires."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    ends_s: float


@dataclass(frozen=True, kw_only=True)
class PortalUser:
    """Who signed in, of which clinic."""

    server: str
    clinic_id: str
    clinic_key: str
    user_id: str
    user_type: str
    name: str


@dataclass(frozen=True, kw_only=True)
class PortalSession:
    """An open session. `key` is the hash of its id."""

    key: str
    user: PortalUser
    sees_everybody: bool
    checked_s: float
    invitation_id: str | None

    @property
    def is_operator(self) -> bool:
        return self.user.server == OPERATORS


@dataclass(frozen=True, kw_only=True)
class TokenToRevoke:
    """The token of a closed session."""

    key: str
    server: str
    token: str = field(repr=False)


class Sessions:
    """`idle_seconds`, `longest_seconds`: when a session ends by itself."""

    def __init__(
        self,
        database: PortalDatabase,
        seal: Seal,
        *,
        idle_seconds: float,
        longest_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._database, self._seal, self._now = database, seal, now
        self._idle_seconds, self._longest_seconds = idle_seconds, longest_seconds

    def open(
        self,
        user: PortalUser,
        tokens: UserTokens,
        *,
        patients: Iterable[str] | None,
        invitation_id: str | None = None,
    ) -> str:
        """Returns the new session's id. `patients`: whom the user may see; None: everybody of the clinic."""
        session_id = secrets.token_urlsafe(32)
        key, now = hash_of(session_id), self._now()
        row = {
            "session_hash": key,
            "server": user.server,
            "clinic_id": user.clinic_id,
            "clinic_key": user.clinic_key,
            "user_id": user.user_id,
            "user_type": user.user_type,
            "user_name": self._seal.seal(user.name, _place("user_name", key)),
            "sees_everybody": patients is None,
            "opened_s": now,
            "seen_s": now,
            "checked_s": now,
            "invitation_id": invitation_id,
        }
        with self._database.write() as connection:
            connection.execute(insert(sessions).values(row | self._sealed(key, tokens)))
            rows = [{"session_hash": key, "patient_id": patient_id} for patient_id in sorted(set(patients or ()))]
            if rows:
                connection.execute(insert(visible_patients), rows)
        return session_id

    def find(self, session_id: str) -> PortalSession | None:
        """The open session of this id, which counts as used now; None: there is none, or it has ended."""
        key, now = hash_of(session_id), self._now()
        with self._database.read() as connection:
            row = connection.execute(select(sessions).where(sessions.c.session_hash == key)).first()
        if row is None:
            return None
        if row.seen_s < now - self._idle_seconds or row.opened_s < now - self._longest_seconds:
            self.close(key)
            return None
        if row.seen_s < now - _TOUCH_SECONDS:
            with self._database.write() as connection:
                connection.execute(update(sessions).where(sessions.c.session_hash == key).values(seen_s=now))
        return self._session(row)

    def of_key(self, key: str) -> PortalSession | None:
        """An open session by the hash of its id, as it is stored now."""
        with self._database.read() as connection:
            row = connection.execute(select(sessions).where(sessions.c.session_hash == key)).first()
        return self._session(row) if row else None

    def tokens(self, key: str) -> UserTokens | None:
        """The tokens of a session; None: it is closed."""
        with self._database.read() as connection:
            row = connection.execute(select(sessions).where(sessions.c.session_hash == key)).first()
        if row is None:
            return None
        return UserTokens(
            access=self._seal.open(row.access_token, _place("access_token", key)),
            refresh=self._seal.open(row.refresh_token, _place("refresh_token", key)),
            ends_s=row.token_ends_s,
        )

    def replace_tokens(self, key: str, tokens: UserTokens) -> None:
        with self._database.write() as connection:
            this = sessions.c.session_hash == key
            connection.execute(update(sessions).where(this).values(self._sealed(key, tokens)))

    def record_check(self, key: str, *, sees_everybody: bool | None = None) -> None:
        """Where the user signed in has just confirmed them; `sees_everybody`: what holds from now on."""
        values = {"checked_s": self._now()} | ({} if sees_everybody is None else {"sees_everybody": sees_everybody})
        with self._database.write() as connection:
            connection.execute(update(sessions).where(sessions.c.session_hash == key).values(values))

    def may_see(self, session: PortalSession, patient_id: str) -> bool:
        if session.sees_everybody:
            return True
        this = (visible_patients.c.session_hash == session.key) & (visible_patients.c.patient_id == patient_id)
        with self._database.read() as connection:
            return connection.execute(select(visible_patients).where(this)).first() is not None

    def visible(self, session: PortalSession) -> frozenset[str] | None:
        """Whom the user may see; None: everybody of the clinic."""
        if session.sees_everybody:
            return None
        query = select(visible_patients.c.patient_id).where(visible_patients.c.session_hash == session.key)
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def close(self, key: str) -> None:
        """Ends a session, and records that its token must be revoked."""
        self._close(sessions.c.session_hash == key)

    def close_all_of(self, user: PortalUser) -> int:
        """Ends every session of the user; returns how many there were."""
        return self._close((sessions.c.server == user.server) & (sessions.c.user_id == user.user_id))

    def close_ended(self) -> int:
        """Ends the sessions that were idle or open for too long; returns how many there were."""
        now = self._now()
        return self._close(
            (sessions.c.seen_s < now - self._idle_seconds) | (sessions.c.opened_s < now - self._longest_seconds)
        )

    def to_revoke(self) -> Sequence[TokenToRevoke]:
        """The tokens of closed sessions, the oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(revocations).order_by(revocations.c.since_s)).all()
        return [
            TokenToRevoke(
                key=row.token_hash,
                server=row.server,
                token=self._seal.open(row.token, f"revocations.token|{row.token_hash}"),
            )
            for row in rows
        ]

    def forget_revoked(self, token: TokenToRevoke) -> None:
        with self._database.write() as connection:
            connection.execute(delete(revocations).where(revocations.c.token_hash == token.key))

    def _close(self, which: ColumnElement[bool]) -> int:
        with self._database.write() as connection:
            rows = connection.execute(select(sessions).where(which)).all()
            for row in rows:
                self._leave_token(connection, row)
                this = row.session_hash
                connection.execute(delete(visible_patients).where(visible_patients.c.session_hash == this))
                connection.execute(delete(sessions).where(sessions.c.session_hash == this))
        return len(rows)

    def _leave_token(self, connection: Connection, row: Row[Any]) -> None:
        """At an OpenID provider the refresh token ends the access token, too."""
        column = "access_token"
        if row.server == OPERATORS and self._seal.open(row.refresh_token, _place("refresh_token", row.session_hash)):
            column = "refresh_token"
        token = self._seal.open(row._mapping[column], _place(column, row.session_hash))
        key = hash_of(token)
        values = {
            "token_hash": key,
            "server": row.server,
            "token": self._seal.seal(token, f"revocations.token|{key}"),
            "since_s": self._now(),
        }
        connection.execute(insert_or(revocations).values(values).on_conflict_do_nothing())

    def _session(self, row: Row[Any]) -> PortalSession:
        user = PortalUser(
            server=row.server,
            clinic_id=row.clinic_id,
            clinic_key=row.clinic_key,
            user_id=row.user_id,
            user_type=row.user_type,
            name=self._seal.open(row.user_name, _place("user_name", row.session_hash)),
        )
        return PortalSession(
            key=row.session_hash,
            user=user,
            sees_everybody=bool(row.sees_everybody),
            checked_s=row.checked_s,
            invitation_id=row.invitation_id,
        )

    def _sealed(self, key: str, tokens: UserTokens) -> dict[str, Any]:
        return {
            "access_token": self._seal.seal(tokens.access, _place("access_token", key)),
            "refresh_token": self._seal.seal(tokens.refresh, _place("refresh_token", key)),
            "token_ends_s": tokens.ends_s,
        }


def _place(column: str, key: str) -> str:
    return f"sessions.{column}|{key}"
