"""Patients whom a clinic has set aside: they are off its call list until a day, with a note of the clinic's own.

Nobody but this store has them: Fullscript knows nothing of a snooze. The note is sealed; it may hold health data. A
snooze is deleted after its day. What does not belong here: how the call list shows a snooze (`reports`).
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Row, delete, select

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import snoozes
from fullscript_pipeline.state.sealed_columns import SNOOZE_NOTE
from fullscript_pipeline.state.token_store import of_clinic


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze:
    """A patient is off the call list until the day `until`, on which they are on it again."""

    patient_id: str
    until: date
    note: str | None = None


class Snoozes(StorePart):
    """The patients who are off a call list until a day."""

    def add(self, clinic: ClinicRef, snooze: Snooze, today: date) -> None:
        """Stores the snooze, in place of the patient's former one, and deletes the snoozes that are over."""
        key = {"server": clinic.server, "clinic_id": clinic.clinic_id, "patient_id": snooze.patient_id}
        note = self.keyring.seal(snooze.note, SNOOZE_NOTE.at(*key.values())) if snooze.note else None
        row = key | {"until_on": snooze.until.isoformat(), "note": note}
        with self.db.write() as connection:
            connection.execute(delete(snoozes).where(snoozes.c.until_on <= today.isoformat()))
            connection.execute(
                insert_into(connection, snoozes).values(row).on_conflict_do_update(index_elements=list(key), set_=row)
            )

    def remove(self, clinic: ClinicRef, patient_id: str) -> bool:
        """Deletes the patient's snooze; returns whether there was one."""
        this = of_clinic(snoozes, clinic) & (snoozes.c.patient_id == patient_id)
        with self.db.write() as connection:
            return bool(connection.execute(delete(snoozes).where(this)).rowcount)

    def current(self, clinic: ClinicRef, day: date) -> list[Snooze]:
        """The clinic's snoozes that are not over on `day`, the first to end first."""
        query = (
            select(snoozes)
            .where(of_clinic(snoozes, clinic) & (snoozes.c.until_on > day.isoformat()))
            .order_by(snoozes.c.until_on, snoozes.c.patient_id)
        )
        with self.db.read() as connection:
            rows = connection.execute(query).all()
        return [self._snooze(row) for row in rows]

    def _snooze(self, row: Row[tuple[object, ...]]) -> Snooze:
        note = self.keyring.open(row.note, SNOOZE_NOTE.of_row(row)) if row.note else None
        return Snooze(patient_id=row.patient_id, until=date.fromisoformat(row.until_on), note=note)
