"""The queue of patients whose rows and pages must be rebuilt, kept until they are.

What does not belong here: rebuilding them (`maintenance.page_rebuild`).
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, select

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.event_ledger import chunks
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import owed_patients


class PageRebuildQueue(StorePart):
    """The patients whose rows and pages are queued for a rebuild."""

    def add(self, clinic: ClinicRef, patients: Iterable[str]) -> None:
        """Queues a rebuild of these patients' rows and pages, durably."""
        with self.db.write() as connection:
            for patient in patients:
                row = {"server": clinic.server, "clinic_id": clinic.clinic_id, "patient_id": patient}
                connection.execute(insert_into(connection, owed_patients).values(row).on_conflict_do_nothing())

    def pending(self, clinic: ClinicRef) -> list[str]:
        """The patients whose rows and pages are queued for a rebuild."""
        query = select(owed_patients.c.patient_id).where(_rebuilds_of(clinic)).order_by(owed_patients.c.patient_id)
        with self.db.read() as connection:
            return list(connection.execute(query).scalars())

    def mark_done(self, clinic: ClinicRef, patients: Iterable[str]) -> None:
        """Removes these patients from the queue: their rows and pages are rebuilt."""
        with self.db.write() as connection:
            for chunk in chunks(list(patients)):
                pending = _rebuilds_of(clinic) & owed_patients.c.patient_id.in_(chunk)
                connection.execute(delete(owed_patients).where(pending))


def _rebuilds_of(clinic: ClinicRef) -> ColumnElement[bool]:
    return (owed_patients.c.server == clinic.server) & (owed_patients.c.clinic_id == clinic.clinic_id)
