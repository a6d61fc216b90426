"""The key of the state store: recorded in it by the first write, changed by `keys rotate`, checked by every write.

So a process that was started with another key, or before a change of keys, cannot write. A store from before 2026-11-29
records no key until it is rotated. What does not belong here: encrypting (`secret_cipher`), rotating
(`key_rotation`).
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Text, cast, func, select, type_coerce

from fullscript_pipeline.encryption import fingerprint
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.schema import facts
from fullscript_pipeline.state.sealed_columns import SEALED_COLUMNS, SealedColumn
from fullscript_pipeline.state.secret_cipher import MARKS, Keyring

_FACT = "encryption_key"


def read_key_fingerprint(connection: Connection) -> str | None:
    """The fingerprint of the store's key; None: none is recorded."""
    return connection.execute(select(facts.c.value).where(facts.c.name == _FACT)).scalar()


def write_key_fingerprint(connection: Connection, keyring: Keyring, key_fingerprint: str) -> None:
    """Records the key with this fingerprint as the store's key, and makes it active."""
    statement = insert_into(connection, facts).values(name=_FACT, value=key_fingerprint)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": key_fingerprint}))
    keyring.use(key_fingerprint)


def follow_key(connection: Connection, keyring: Keyring) -> None:
    """Makes the store's key active at the start of a write. Raises ConfigurationError if we do not have it."""
    stored = read_key_fingerprint(connection)
    if stored is None and keyring.keys and not _holds_secrets(connection):
        # Of a list the last one, as for files: `keys rotate` changes both to the first.
        write_key_fingerprint(connection, keyring, fingerprint(keyring.keys[-1]))
        return
    keyring.use(stored)
    _ = keyring.fingerprint  # raises


def _holds_secrets(connection: Connection) -> bool:
    return any(connection.execute(select(1).where(looks_sealed(sealed)).limit(1)).first() for sealed in SEALED_COLUMNS)


def looks_sealed(sealed: SealedColumn) -> ColumnElement[bool]:
    """The SQL condition that a value of the column was made by a keyring."""
    return begins_with_one_of(sealed.column, MARKS)


def begins_with_one_of(column: ColumnElement[Any], marks: Sequence[bytes]) -> ColumnElement[bool]:
    """The SQL condition that a value, text or bytes, begins with one of these texts of the same length."""
    begin = func.substr(column, 1, len(marks[0]))
    as_text = cast(begin, Text).in_([mark.decode() for mark in marks])
    # SQLite may hold a text in a column of bytes; PostgreSQL casts bytes to their hexadecimal form.
    return as_text | type_coerce(begin, LargeBinary).in_(marks) if isinstance(column.type, LargeBinary) else as_text
