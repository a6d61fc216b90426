"""The queue of requests: the portal adds them, the daemon takes each once, and the portal shows what became of it.

A request to connect a clinic holds the code of a sign-in, which is sealed, and deleted when the daemon takes it. What
does not belong here: what is done for a request.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from fullscript_pipeline.portal_store.database import PortalDatabase, TableSet
from fullscript_pipeline.portal_store.schema import metadata, requests, used_invitations
from fullscript_pipeline.portal_store.sealing import Seal

CONNECT, READ_PATIENT = "connect", "read a patient"
WAITING, TAKEN, DONE, FAILED = "waiting", "taken", "done", "failed"
# A code of a sign-in is good for ten minutes; who asked to read a patient does not wait longer either.
LONGEST_WAIT_SECONDS = 600
_KEPT_SECONDS = 7 * 86400.0
_TABLES = TableSet(metadata=metadata, version=1)


class InvitationUsed(Exception):
    """Somebody has connected a clinic with this invitation."""


@dataclass(frozen=True, kw_only=True)
class PortalRequest:
    """One request. `sentence`: what became of it, for the user; `changed_s`: since when its state holds."""

    request_id: str
    kind: str
    server: str
    clinic_id: str
    patient_id: str | None
    state: str
    sentence: str
    asked_s: float
    changed_s: float

    @property
    def is_open(self) -> bool:
        return self.state in (WAITING, TAKEN)


@dataclass(frozen=True, kw_only=True)
class TakenRequest:
    """A request that this process handles now. `code`: of a sign-in, '' where there is none."""

    request: PortalRequest
    code: str = field(repr=False)


class PortalRequests:
    """The queue's file; threads and processes may share it. Raises ConfigurationError if it cannot be used."""

    def __init__(self, path: Path, keys: Sequence[str], now: Callable[[], float]) -> None:
        self._database, self._seal, self._now = PortalDatabase(path, _TABLES), Seal(keys), now

    def close(self) -> None:
        self._database.close()

    def ask_to_connect(self, server: str, clinic_id: str, *, code: str, invitation_id: str | None) -> PortalRequest:
        """Raises InvitationUsed. A request of the clinic that still waits is replaced."""
        with self._database.write() as connection:
            if invitation_id is not None:
                values = {"invitation_id": invitation_id, "used_s": self._now()}
                try:
                    connection.execute(insert(used_invitations).values(values))
                except IntegrityError:
                    raise InvitationUsed from None
            waiting = _of_clinic(server, clinic_id) & (requests.c.kind == CONNECT) & (requests.c.state == WAITING)
            connection.execute(delete(requests).where(waiting))
            return self._add(
                connection, CONNECT, server=server, clinic_id=clinic_id, code=code, invitation_id=invitation_id
            )

    def is_used(self, invitation_id: str) -> bool:
        query = select(used_invitations).where(used_invitations.c.invitation_id == invitation_id)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def ask_to_read(self, server: str, clinic_id: str, patient_id: str) -> PortalRequest:
        """The request of this patient that is open already, or a new one."""
        this = _of_clinic(server, clinic_id) & (requests.c.patient_id == patient_id)
        with self._database.write() as connection:
            row = connection.execute(select(requests).where(this & requests.c.state.in_((WAITING, TAKEN)))).first()
            if row is not None:
                return _request(row)
            return self._add(connection, READ_PATIENT, server=server, clinic_id=clinic_id, patient_id=patient_id)

    def latest(self, server: str, clinic_id: str, patient_id: str | None = None) -> PortalRequest | None:
        """The newest request to connect this clinic, or to read this patient of it."""
        this = _of_clinic(server, clinic_id)
        if patient_id is None:
            this &= requests.c.kind == CONNECT
        else:
            this &= requests.c.patient_id == patient_id
        with self._database.read() as connection:
            row = connection.execute(select(requests).where(this).order_by(requests.c.asked_s.desc()).limit(1)).first()
        return _request(row) if row else None

    def find(self, request_id: str) -> PortalRequest | None:
        with self._database.read() as connection:
            row = connection.execute(select(requests).where(requests.c.request_id == request_id)).first()
        return _request(row) if row else None

    def newest_s(self) -> float:
        """When the newest request was made; 0 without any."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(requests.c.asked_s))).scalar() or 0.0

    def take(self) -> list[TakenRequest]:
        """Every request that waits, the oldest first; each is taken by one process only. Its code is deleted."""
        self._end_old()
        with self._database.write() as connection:
            waiting = select(requests).where(requests.c.state == WAITING).order_by(requests.c.asked_s)
            rows = connection.execute(waiting).all()
            taken = {"state": TAKEN, "sealed_code": "", "changed_s": self._now()}
            for row in rows:
                connection.execute(update(requests).where(requests.c.request_id == row.request_id).values(taken))
        return [
            TakenRequest(request=_request(row), code=self._seal.open(row.sealed_code, _place(row.request_id)))
            for row in rows
        ]

    def taken(self) -> Sequence[PortalRequest]:
        """The requests that are being handled, the oldest first."""
        with self._database.read() as connection:
            found = select(requests).where(requests.c.state == TAKEN).order_by(requests.c.asked_s)
            return [_request(row) for row in connection.execute(found)]

    def describe(self, request_id: str, sentence: str) -> None:
        """Says how far a request that is being handled is."""
        this = (requests.c.request_id == request_id) & (requests.c.state == TAKEN) & (requests.c.sentence != sentence)
        with self._database.write() as connection:
            connection.execute(update(requests).where(this).values(sentence=sentence))

    def end(self, request_id: str, state: str, sentence: str) -> None:
        """`state`: DONE or FAILED. An invitation whose clinic could not be connected can be used again."""
        with self._database.write() as connection:
            self._end(connection, requests.c.request_id == request_id, state, sentence)

    def _add(self, connection: Connection, kind: str, *, code: str = "", **values: str | None) -> PortalRequest:
        request_id, now = secrets.token_hex(12), self._now()
        connection.execute(delete(requests).where(requests.c.changed_s < now - _KEPT_SECONDS))
        row: dict[str, Any] = {
            "request_id": request_id,
            "kind": kind,
            "state": WAITING,
            "sentence": "",
            "sealed_code": self._seal.seal(code, _place(request_id)),
            "asked_s": now,
            "changed_s": now,
            **values,
        }
        connection.execute(insert(requests).values(row))
        return _request(connection.execute(select(requests).where(requests.c.request_id == request_id)).one())

    def _end_old(self) -> None:
        """Ends requests that nobody took in time: no daemon runs, or it lacks FULLSCRIPT_WEB_KEY."""
        late = (requests.c.state == WAITING) & (requests.c.asked_s < self._now() - LONGEST_WAIT_SECONDS)
        with self._database.write() as connection:
            self._end(connection, late, FAILED, "The pipeline did not take the request within ten minutes.")

    def _end(self, connection: Connection, which: ColumnElement[bool], state: str, sentence: str) -> None:
        values = {"state": state, "sentence": sentence, "sealed_code": "", "changed_s": self._now()}
        if state == FAILED:
            used = select(requests.c.invitation_id).where(which & requests.c.invitation_id.is_not(None))
            connection.execute(delete(used_invitations).where(used_invitations.c.invitation_id.in_(used)))
        connection.execute(update(requests).where(which).values(values))


def erase_requests(path: Path, *, server: str, clinic_id: str, patient_id: str | None) -> int:
    """Deletes the requests about a patient, or of a whole clinic; returns their number."""
    if not path.exists():
        return 0
    database, this = PortalDatabase(path, _TABLES), _of_clinic(server, clinic_id)
    if patient_id is not None:
        this &= requests.c.patient_id == patient_id
    try:
        with database.write() as connection:
            return connection.execute(delete(requests).where(this)).rowcount
    finally:
        database.close()


def _of_clinic(server: str, clinic_id: str) -> ColumnElement[bool]:
    return (requests.c.server == server) & (requests.c.clinic_id == clinic_id)


def _request(row: Row[Any]) -> PortalRequest:
    return PortalRequest(**{name: row._mapping[name] for name in PortalRequest.__dataclass_fields__})


def _place(request_id: str) -> str:
    return f"requests.sealed_code|{request_id}"
