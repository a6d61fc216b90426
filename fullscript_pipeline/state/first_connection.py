"""When the first clinic was connected: no day before it can have been pulled, so the partitions of days begin there.

What does not belong here: the partitions themselves (`orchestration.runtime.partitions`).
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.directory_facts import FIRST_CONNECTED
from fullscript_pipeline.state.opening import open_database
from fullscript_pipeline.state.schema import clinics, facts

# Earlier versions did not store the connection, and their partitions began here.
FIRST_DAY_OF_EARLIER_VERSIONS = date(2024, 1, 1)


def record_first_connection(connection: Connection) -> None:
    """Stores that the first clinic is connected now, by the data's clock. Changes nothing when it is stored."""
    fact = {"name": FIRST_CONNECTED, "value": clock.now().isoformat()}
    connection.execute(insert_into(connection, facts).values(**fact).on_conflict_do_nothing())


def read_first_connection_day(address: Path | str, zone: ZoneInfo) -> date | None:
    """Returns the day of the first connection; None when no clinic was ever connected or the store cannot be read.

    It reads a file as it is, so that the code location loads quickly, whatever version and key the store has.
    """
    with suppress(DBAPIError, PipelineError), _plain_connection(address) as connection:
        stored_at = connection.execute(select(facts.c.value).where(facts.c.name == FIRST_CONNECTED)).scalar()
        if stored_at is not None:
            return clock.day_of(datetime.fromisoformat(stored_at), zone)
        if connection.execute(select(clinics.c.clinic_key).limit(1)).first():
            return FIRST_DAY_OF_EARLIER_VERSIONS
    return None


@contextmanager
def _plain_connection(address: Path | str) -> Iterator[Connection]:
    if isinstance(address, Path):
        engine = create_engine(f"sqlite:///{address.absolute().as_uri()}?mode=ro&uri=true", poolclass=NullPool)
        with engine.connect() as connection:
            yield connection
        return
    database = open_database(address, read_only=True)
    with closing(database), database.read() as connection:
        yield connection
