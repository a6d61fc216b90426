"""How far each event feed of a clinic was read.

What does not belong here: reading feeds (`refresh`).
"""

from sqlalchemy import select

from fullscript_pipeline import clock
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import cursors


class FeedPositions(StorePart):
    """The stored position of every feed of every clinic."""

    def position(self, server: str, clinic_id: str, feed: str) -> str | None:
        """The stored position of a feed, as text."""
        query = select(cursors.c.position).where(
            cursors.c.server == server, cursors.c.clinic_id == clinic_id, cursors.c.feed == feed
        )
        with self.db.read() as connection:
            return connection.execute(query).scalar()

    def set_position(self, server: str, clinic_id: str, feed: str, position: str) -> None:
        row = {"position": position, "updated_at": clock.now().isoformat()}
        with self.db.write() as connection:
            statement = insert_into(connection, cursors).values(server=server, clinic_id=clinic_id, feed=feed, **row)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["server", "clinic_id", "feed"], set_=row)
            )
