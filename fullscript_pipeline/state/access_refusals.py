"""Endpoints that the server refuses to a clinic, by day, so that they are not requested again on that day.

What does not belong here: what a refusal means for a pull (`extraction.access_refusals`).
"""

from datetime import date

from sqlalchemy import select

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import availability


class AccessRefusals(StorePart):
    """The refused endpoints of every clinic and day."""

    def record(self, clinic: ClinicRef, endpoint: str, day: date, reason: str) -> None:
        """Records that the server refuses `endpoint` to this clinic on `day` (by the data's clock)."""
        key = {"server": clinic.server, "clinic_id": clinic.clinic_id, "endpoint": endpoint, "day": day.isoformat()}
        with self.db.write() as connection:
            statement = insert_into(connection, availability).values(**key, reason=reason)
            connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_={"reason": reason}))

    def reason(self, clinic: ClinicRef, endpoint: str, day: date) -> str | None:
        """Why the server refuses `endpoint` to this clinic on `day`; None: no refusal is recorded."""
        query = select(availability.c.reason).where(
            availability.c.server == clinic.server,
            availability.c.clinic_id == clinic.clinic_id,
            availability.c.endpoint == endpoint,
            availability.c.day == day.isoformat(),
        )
        with self.db.read() as connection:
            return connection.execute(query).scalar()
