"""Chooses the database of a state store by its address: a file is SQLite, `postgresql://` is PostgreSQL.

PostgreSQL's driver is imported only for such an address. What does not belong here: what is stored.
"""

from pathlib import Path

from fullscript_pipeline.state.database import AfterUpgrade, BeforeWrite, Database, do_nothing
from fullscript_pipeline.state.sqlite_file import SqliteFile

_HISTORY_SCHEMA = "dagster"


def open_database(
    address: Path | str,
    *,
    read_only: bool = False,
    after_upgrade: AfterUpgrade = do_nothing,
    before_write: BeforeWrite = do_nothing,
) -> Database:
    """Opens the database and brings it to the newest schema; `read_only` creates, changes and migrates nothing."""
    if isinstance(address, Path):
        return SqliteFile(address, read_only=read_only, after_upgrade=after_upgrade, before_write=before_write)
    from fullscript_pipeline.state.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(address, read_only=read_only, after_upgrade=after_upgrade, before_write=before_write)


def make_history_schema(address: str) -> str:
    """Makes the schema of Dagster's history in a PostgreSQL database; returns its address."""
    from fullscript_pipeline.state.postgres import make_schema_of  # noqa: PLC0415

    return make_schema_of(address, _HISTORY_SCHEMA)


def history_address(address: str) -> str:
    """The address of Dagster's history in the PostgreSQL database of the state store."""
    from fullscript_pipeline.state.postgres import address_in_schema  # noqa: PLC0415

    return address_in_schema(address, _HISTORY_SCHEMA)


def database_exists(address: Path | str) -> bool:
    """Whether a store was made there. Raises ServiceUnavailable if the server cannot be reached."""
    if isinstance(address, Path):
        return address.exists()
    from fullscript_pipeline.state.postgres import has_store  # noqa: PLC0415

    return has_store(address)
