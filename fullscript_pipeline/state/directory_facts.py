"""Named facts about this data directory: the kind of its servers, what made it, and what other rooms store.

What does not belong here: the meaning of a fact, which belongs to the room that stores it.
"""

from typing import Literal

from sqlalchemy import Connection, select

from fullscript_pipeline.encryption import require_good_keys
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import facts

Kind = Literal["sandbox", "production"]
# Set when the store is made: earlier versions made stores without it.
# When the first clinic was connected (`first_connection`).
FIRST_CONNECTED = "first_connected_at"
_CONTACT_ON_PAGES = "made_with_contact_on_pages"


class DirectoryFacts(StorePart):
    """Named facts about this data directory."""

    def set_environment_kind(self, kind: Kind) -> None:
        """Sets that this directory is for sandboxes or for production.

        Raises ConfigurationError if it is for the other kind, or if a new production directory has a key that can be
        guessed.
        """
        with self.db.write() as connection:
            is_new = connection.execute(select(facts.c.value).where(facts.c.name == "kind")).first() is None
            if is_new and kind == "production":
                require_good_keys(self.keyring.keys)
            connection.execute(insert_into(connection, facts).values(name="kind", value=kind).on_conflict_do_nothing())
            stored_kind = connection.execute(select(facts.c.value).where(facts.c.name == "kind")).scalar_one()
        if stored_kind != kind:
            raise ConfigurationError(
                f"The {self.db.owner} holds {stored_kind} servers and cannot take a {kind} one (a "
                "region has one catalog): set FULLSCRIPT_DATA_DIR to another directory."
            )

    def get(self, name: str) -> str | None:
        """Returns a fact (`kind`, `made_by_demo`, ...); None if it is not set."""
        with self.db.read() as connection:
            return connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar()

    def set(self, name: str, value: str) -> None:
        with self.db.write() as connection:
            statement = insert_into(connection, facts).values(name=name, value=value)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def has_had_clinics(self) -> bool:
        """Returns whether a clinic was ever connected here, also when all were removed since."""
        return self.get(FIRST_CONNECTED) is not None

    def made_with_contact_on_pages(self) -> bool:
        """Returns whether a version whose pages show contact data by default made this directory."""
        return self.get(_CONTACT_ON_PAGES) is not None


def record_contact_on_pages(connection: Connection) -> None:
    """Stores in a store that is being made that pages show contact data (`made_with_contact_on_pages`)."""
    connection.execute(insert_into(connection, facts).values(name=_CONTACT_ON_PAGES, value="yes"))
