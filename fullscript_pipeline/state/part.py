"""What the parts of the state store have in common: the database, and the keys that seal its values.

What does not belong here: any table.
"""

from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.secret_cipher import Keyring


class StorePart:
    """The tables of one subject. A part knows its own SQL and no other part."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self.db, self.keyring = db, keyring
