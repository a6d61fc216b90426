"""For how many days landed pages are kept: as set, otherwise as the version that made the data directory has it.

A directory that an earlier version made keeps everything until the setting says otherwise. What does not belong here:
removing files (`warehouse.files`).
"""

from sqlalchemy import Connection

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.directory_facts import DirectoryFacts
from fullscript_pipeline.state.schema import facts

_FACT = "made_with_landing_retention"


def record_landing_retention(connection: Connection) -> None:
    """Stores in a store that is being made that its landed pages are not kept for ever."""
    connection.execute(insert_into(connection, facts).values(name=_FACT, value="yes").on_conflict_do_nothing())


def landing_days(settings: Settings, directory_facts: DirectoryFacts) -> int:
    """The days that landed pages are kept; 0: for ever."""
    is_set = "keep_landing_days" in settings.model_fields_set
    return settings.keep_landing_days if is_set or directory_facts.get(_FACT) else 0
