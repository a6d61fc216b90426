"""The portal's own audit log: every view of a person, every refusal, every sign-in, in entries that are only added.

An entry names the user, and the patient by a keyed digest; its code is an HMAC over the entry and the code before it,
so that a changed or missing entry is found. What does not belong here: the pipeline's log of commands (`state.audit`).
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import insert, select

from fullscript_pipeline.portal_store import PortalDatabase, Seal
from fullscript_pipeline.web.configuration import PortalConfiguration
from fullscript_pipeline.web.digest_key import Digests, read_digests
from fullscript_pipeline.web.schema import TABLES, audit_log
from fullscript_pipeline.web.sessions import PortalUser


@contextmanager
def opened_audit(configuration: PortalConfiguration) -> Iterator["PortalAudit"]:
    """The log of this portal, for a command; the portal may run meanwhile."""
    database = PortalDatabase(configuration.store, TABLES)
    try:
        yield PortalAudit(database, read_digests(database, Seal(configuration.keys)), time.time)
    finally:
        database.close()


class PortalAudit:
    """An entry is on disk before the request that it records is answered."""

    def __init__(self, database: PortalDatabase, digests: Digests, now: Callable[[], float]) -> None:
        self._database, self._digests, self._now = database, digests, now

    def append(
        self, event: str, user: PortalUser | None = None, *, patient_id: str | None = None, **details: str | int
    ) -> None:
        """`details`: words, counts and paths of our own, never an id or a text that somebody has sent."""
        entry: dict[str, str | int] = {"at": datetime.fromtimestamp(self._now(), UTC).isoformat(), "event": event}
        if user is not None:
            entry |= {"server": user.server, "clinic": user.clinic_key, "user": user.user_id, "type": user.user_type}
        if patient_id is not None:
            of = (user.server, user.clinic_id) if user else ()
            entry["patient"] = self.digest(*of, patient_id)
        with self._database.write() as connection:
            last = connection.execute(select(audit_log).order_by(audit_log.c.number.desc()).limit(1)).first()
            number, previous = (last.number + 1, last.code) if last else (1, "")
            text = json.dumps({"number": number, **entry, **details}, sort_keys=True)
            values = {"number": number, "entry": text, "code": self._code(previous, text)}
            connection.execute(insert(audit_log).values(values))

    def entries(self) -> list[dict[str, str | int]]:
        with self._database.read() as connection:
            rows = connection.execute(select(audit_log).order_by(audit_log.c.number)).all()
        return [json.loads(row.entry) for row in rows]

    def damage(self) -> list[int]:
        """The numbers of entries that were changed, or before which entries are missing."""
        with self._database.read() as connection:
            rows = connection.execute(select(audit_log).order_by(audit_log.c.number)).all()
        damaged, expected, previous = [], 1, ""
        for row in rows:
            if row.number != expected or row.code != self._code(previous, row.entry):
                damaged.append(int(row.number))
            expected, previous = row.number + 1, row.code
        return damaged

    def digest(self, *parts: str) -> str:
        """The digest of a patient in entries."""
        return self._digests.of("patient", *parts)[:32]

    def _code(self, previous: str, text: str) -> str:
        return self._digests.of("audit", previous, text)
