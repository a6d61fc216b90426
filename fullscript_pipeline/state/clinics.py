"""The connected clinics: their keys and their status.

What does not belong here: their tokens (`token_store`).
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.file_names import is_device_name
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.first_connection import record_first_connection
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import clinics, grants

_LONGEST_KEY = 40


@dataclass(frozen=True, kw_only=True)
class Clinic(ClinicRef):
    """A clinic with its status. `status_reason`: why it needs a connect, in words."""

    status: Literal["ok", "needs_connect", "removed"] = "ok"
    status_reason: str | None = None
    connected_at: datetime | None = None


class ClinicRecords(StorePart):
    """The connected clinics, and those that were removed."""

    def all(self, *, with_removed: bool = False) -> list[Clinic]:
        """The connected clinics by key, including those that need a connect."""
        query = select(clinics).order_by(clinics.c.clinic_key)
        if not with_removed:
            query = query.where(clinics.c.status != "removed")
        with self.db.read() as connection:
            return [_clinic(row) for row in connection.execute(query)]

    def find(self, id_or_key: str) -> Clinic:
        """The connected clinic with this key or vendor id. Raises UsageError, which lists the known clinics."""
        known = self.all()
        matches = [clinic for clinic in known if clinic.clinic_key == id_or_key.strip().lower()]
        matches = matches or [clinic for clinic in known if clinic.clinic_id == id_or_key.strip()]
        if len(matches) == 1:
            return matches[0]
        keys = ", ".join(clinic.clinic_key for clinic in known)
        if matches:
            raise UsageError(f"Clinic id {id_or_key!r} exists on several servers: use one of the keys {keys}.")
        advice = f"the connected clinics are {keys}" if keys else "none is connected; run `fullscript-pipeline connect`"
        raise UsageError(f"No clinic {id_or_key!r} is connected: {advice}.")

    def register(self, server: str, clinic_id: str, region: str, name: str | None) -> Clinic:
        """Adds the clinic, or restores it, with status ok. A restored clinic keeps its key."""
        moment = clock.real_now().isoformat()
        with self.db.write() as connection:
            known = connection.execute(select(clinics.c.clinic_key, clinics.c.server, clinics.c.clinic_id)).all()
            if not known:
                record_first_connection(connection)
            taken = {row.clinic_key: (row.server, row.clinic_id) for row in known}
            own = next((key for key, owner in taken.items() if owner == (server, clinic_id)), None)
            row = {
                "server": server,
                "clinic_id": clinic_id,
                "clinic_key": own or unique_key(name or "", taken),
                "region": region,
                "name": name,
                "status": "ok",
                "status_reason": None,
                "connected_at": moment,
                "updated_at": moment,
            }
            statement = insert_into(connection, clinics).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=["server", "clinic_id"], set_=row))
        return self.find(str(row["clinic_key"]))

    def remove(self, clinic: ClinicRef) -> None:
        """Deletes its tokens. The row stays, marked removed, so that a later connect gets the same key."""
        with self.db.write() as connection:
            connection.execute(grants.delete().where(_is(grants, clinic)))
            _set_status(connection, clinic, "removed", None)

    def mark_needs_connect(self, clinic: ClinicRef, reason: str) -> None:
        """Marks a clinic without a working grant; `reason` is a sentence without secrets."""
        with self.db.write() as connection:
            _set_status(connection, clinic, "needs_connect", reason)

    def mark_ok(self, clinic: ClinicRef) -> None:
        with self.db.write() as connection:
            _set_status(connection, clinic, "ok", None)


def unique_key(name: str, taken: Collection[str]) -> str:
    """A slug `[a-z0-9-]` of at most 40 characters made from `name`, not among `taken`.

    It names folders, too (landing files), so it is no device name: a clinic called "Con" gets `con-clinic`.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower().replace("'", "")
    base = re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST_KEY].strip("-") or "clinic"
    base = f"{base}-clinic" if is_device_name(base) else base
    key, number = base, 1
    while key in taken:
        number += 1
        key = f"{base[: _LONGEST_KEY - len(str(number)) - 1].rstrip('-')}-{number}"
    return key


def _is(table: Any, clinic: ClinicRef) -> Any:
    return (table.c.server == clinic.server) & (table.c.clinic_id == clinic.clinic_id)


def _set_status(connection: Connection, clinic: ClinicRef, status: str, reason: str | None) -> None:
    changed = {"status": status, "status_reason": reason, "updated_at": clock.real_now().isoformat()}
    connection.execute(update(clinics).where(_is(clinics, clinic)).values(changed))


def _clinic(row: Row[Any]) -> Clinic:
    return Clinic(
        server=row.server,
        clinic_id=row.clinic_id,
        clinic_key=row.clinic_key,
        region=row.region,
        name=row.name,
        status=row.status,
        status_reason=row.status_reason,
        connected_at=datetime.fromisoformat(row.connected_at),
    )
