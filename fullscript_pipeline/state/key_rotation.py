"""Re-encrypts all sealed values of the state store with another key, in one transaction.

What does not belong here: files (`warehouse.files`), the order of steps (`maintenance.key_rotation`).
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Connection,
    LargeBinary,
    Row,
    String,
    TableClause,
    inspect,
    select,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from fullscript_pipeline.encryption import fingerprint
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.sealed_columns import SEALED_COLUMNS, SealedColumn
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.store_key import (
    begins_with_one_of,
    looks_sealed,
    read_key_fingerprint,
    write_key_fingerprint,
)

_SEALED_MARKS = (b"fernet:", b"sealed:")


def reseal_store(db: Database, keyring: Keyring, key: str) -> int:
    """Seals every value with `key`, one of the keyring's, bound to its place; returns the number of changed values.

    Raises ConfigurationError for a value that no key of the keyring opens, and PipelineError for a sealed value in a
    column that is not listed; nothing is changed then.
    """
    before = Keyring(",".join(keyring.keys))
    with db.write() as connection:
        before.use(read_key_fingerprint(connection))
        write_key_fingerprint(connection, keyring, fingerprint(key))
        changed = sum(_reseal(connection, sealed, before, keyring) for sealed in SEALED_COLUMNS)
        _refuse_unlisted(connection)
    return changed


def count_to_reseal(connection: Connection, keyring: Keyring, key: str) -> int:
    """Counts the values that are not sealed with `key`. Raises ConfigurationError if no key opens one."""
    after = Keyring(key)
    after.use(fingerprint(key))
    number = 0
    for sealed in SEALED_COLUMNS:
        for row in connection.execute(select(sealed.table).where(looks_sealed(sealed))).yield_per(100):
            stored = _stored(row, sealed)
            if not after.is_current(stored):
                keyring.open_bytes(stored, sealed.of_row(row))
                number += 1
    return number


def _reseal(connection: Connection, sealed: SealedColumn, before: Keyring, after: Keyring) -> int:
    identity = list(sealed.table.primary_key.columns)
    rows = connection.execute(select(*identity).where(looks_sealed(sealed))).all()
    changed = 0
    for identity_values in rows:
        this = [column == value for column, value in zip(identity, identity_values, strict=True)]
        row = connection.execute(select(sealed.table).where(*this)).one()
        stored = _stored(row, sealed)
        if after.is_current(stored):
            continue
        place = sealed.of_row(row)
        renewed = after.seal_bytes(before.open_bytes(stored, place), place)
        is_text = isinstance(getattr(row, sealed.of), str)
        connection.execute(
            update(sealed.table).where(*this).values({sealed.of: renewed.decode() if is_text else renewed})
        )
        changed += 1
    return changed


def _stored(row: Row[tuple[object, ...]], sealed: SealedColumn) -> bytes:
    value = getattr(row, sealed.of)
    return value.encode() if isinstance(value, str) else bytes(value)


def _refuse_unlisted(connection: Connection) -> None:
    """Raises PipelineError for a sealed value in an unlisted column, which would stay under the former key."""
    listed = {sealed.name for sealed in SEALED_COLUMNS}
    for name, rows, values in _text_columns(connection):
        query = select(1).select_from(rows).where(begins_with_one_of(values, _SEALED_MARKS)).limit(1)
        if name not in listed and connection.execute(query).first():
            raise PipelineError(
                f"The state store holds a sealed value in {name}, which this version does not know as sealed: "
                "install the version that wrote it. Nothing was changed."
            )


def _text_columns(connection: Connection) -> Iterator[tuple[str, TableClause, ColumnClause[Any]]]:
    """The name, table and column of everything that can hold a sealed value, out of the database's own schema."""
    schema = inspect(connection)
    for table in schema.get_table_names():
        for found in schema.get_columns(table):
            if isinstance(found["type"], String | LargeBinary):
                yield f"{table}.{found['name']}", sql_table(table), sql_column(found["name"], found["type"])
