"""Every environment variable of the project in one typed place (docs/architecture.md, "Settings").

Settings are made once, at the entry of a process (`load_settings`), and passed from there. Importing this room costs
pydantic: what only prints help does without. What does not belong here: anything that talks to a server, and the clock
(`clock.py` reads FULLSCRIPT_NOW itself, from the environment that `load_settings` completes).
"""

from fullscript_pipeline.settings.adherence import AdherencePolicy
from fullscript_pipeline.settings.data_directory import LANDING_FOLDER, WAREHOUSE_FILE, encryption_keys
from fullscript_pipeline.settings.declaration import Settings
from fullscript_pipeline.settings.declared_settings import DeclaredSetting, declared_settings, unknown_variables
from fullscript_pipeline.settings.dotenv_file import complete_environment, read_dotenv
from fullscript_pipeline.settings.loading import load_settings
from fullscript_pipeline.settings.portal import SEALED
from fullscript_pipeline.settings.servers import (
    SERVER_NAMES,
    ServerSettings,
    api_url_advice,
    foreign_address_advice,
    variable_of,
)
from fullscript_pipeline.settings.value_types import (
    LANGUAGES,
    Language,
    has_password,
    parse_state_url,
    parse_time_zone,
    parse_warehouse_url,
    place_of_database,
)

__all__ = [
    "LANDING_FOLDER",
    "LANGUAGES",
    "SEALED",
    "SERVER_NAMES",
    "WAREHOUSE_FILE",
    "AdherencePolicy",
    "DeclaredSetting",
    "Language",
    "ServerSettings",
    "Settings",
    "api_url_advice",
    "complete_environment",
    "declared_settings",
    "encryption_keys",
    "foreign_address_advice",
    "has_password",
    "load_settings",
    "parse_state_url",
    "parse_time_zone",
    "parse_warehouse_url",
    "place_of_database",
    "read_dotenv",
    "unknown_variables",
    "variable_of",
]
