"""Facts about this data directory: which kind of servers it is for, who made it, and what other rooms note of it.

What does not belong here: what a fact means to the room that notes it.
"""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from fullscript_pipeline.encryption import require_good_keys
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.schema import facts
from fullscript_pipeline.state.secret_cipher import Keyring

Kind = Literal["sandbox", "production"]


class DirectoryFacts:
    """Part of StateStore."""

    db: Database
    keyring: Keyring

    def set_environment_kind(self, kind: Kind) -> None:
        """This directory is for sandboxes, or for production, from now on.

        Raises ConfigurationError for the other kind, and a new production directory under a key that can be guessed.
        """
        with self.db.write() as connection:
            is_new = connection.execute(select(facts.c.value).where(facts.c.name == "kind")).first() is None
            if is_new and kind == "production":
                require_good_keys(self.keyring.keys)
            connection.execute(insert(facts).values(name="kind", value=kind).on_conflict_do_nothing())
            stored_kind = connection.execute(select(facts.c.value).where(facts.c.name == "kind")).scalar_one()
        if stored_kind != kind:
            raise ConfigurationError(
                f"The data directory {self.db.path.parent} holds {stored_kind} servers and cannot take a {kind} one (a "
                "region has one catalog): set FULLSCRIPT_DATA_DIR to another directory."
            )

    def get_fact(self, name: str) -> str | None:
        """A fact about this data directory: `kind`, `made_by_demo`, ..."""
        with self.db.read() as connection:
            return connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar()

    def set_fact(self, name: str, value: str) -> None:
        statement = insert(facts).values(name=name, value=value)
        with self.db.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
