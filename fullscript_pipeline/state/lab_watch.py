"""Lab orders whose state may still change: the state in which each was last read, and which have changed since.

Their states are polled without opening the warehouse, so they are stored here too. What does not belong here: polling
(`refresh.lab_poll`), what a state means (`warehouse.labs`).
"""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, delete, insert, select, update

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import watched_labs


class LabWatch(StorePart):
    """The lab orders whose state may still change."""

    def watch(self, clinic: ClinicRef, states: Mapping[str, str]) -> None:
        """Replaces the watched lab orders of the clinic by these, which were just read in these states."""
        own = {"server": clinic.server, "clinic_id": clinic.clinic_id, "has_moved": 0}
        rows = [{**own, "lab_order_id": lab, "state": state} for lab, state in states.items()]
        with self.db.write() as connection:
            connection.execute(delete(watched_labs).where(_of(clinic)))
            if rows:
                connection.execute(insert(watched_labs), rows)

    def watched(self, clinic: ClinicRef) -> dict[str, str]:
        """The last read state of each watched lab order."""
        query = select(watched_labs.c.lab_order_id, watched_labs.c.state).where(_of(clinic))
        with self.db.read() as connection:
            return {row.lab_order_id: row.state for row in connection.execute(query)}

    def mark_moved(self, clinic: ClinicRef, labs: Collection[str]) -> None:
        """Marks lab orders to be read: their state has changed, or they are new."""
        known = self.watched(clinic)
        with self.db.write() as connection:
            for lab in labs:
                if lab in known:
                    this = _of(clinic) & (watched_labs.c.lab_order_id == lab)
                    connection.execute(update(watched_labs).where(this).values(has_moved=1))
                else:
                    row = {"server": clinic.server, "clinic_id": clinic.clinic_id, "lab_order_id": lab}
                    connection.execute(insert(watched_labs).values({**row, "state": "", "has_moved": 1}))

    def moved(self, clinic: ClinicRef) -> list[str]:
        """The lab orders that are marked to be read."""
        query = (
            select(watched_labs.c.lab_order_id)
            .where(_of(clinic) & (watched_labs.c.has_moved == 1))
            .order_by(watched_labs.c.lab_order_id)
        )
        with self.db.read() as connection:
            return list(connection.execute(query).scalars())


def _of(clinic: ClinicRef) -> ColumnElement[bool]:
    return (watched_labs.c.server == clinic.server) & (watched_labs.c.clinic_id == clinic.clinic_id)
