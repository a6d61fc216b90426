"""Makes the settings of a process, or says in one sentence which variable cannot be used.

What does not belong here: what is a setting (`declaration`).
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fullscript_pipeline import clock
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings.declaration import Settings
from fullscript_pipeline.settings.declared_settings import declared_settings
from fullscript_pipeline.settings.dotenv_file import complete_environment
from fullscript_pipeline.settings.environment_source import PREFIX
from fullscript_pipeline.settings.servers import variable_of


def load_settings(**overrides: Any) -> Settings:
    """Read the environment, completed from `.env` in the current directory (which never overrides it).

    `overrides` are texts as a variable would hold them, by the field's name; each counts instead of its variable.
    Raises ConfigurationError naming the variable whose value cannot be used, or the line of `.env` that is no setting.
    """
    complete_environment(Path(".env"))
    clock.now()  # a clock that cannot be read is reported at once, whatever the command
    try:
        return Settings(**overrides)
    except ValidationError as problem:
        raise ConfigurationError(_sentence(problem.errors()[0])) from None


def _sentence(error: ErrorDetails) -> str:
    """What is wrong with a value and what is allowed; the value itself only where its parser repeats it."""
    variable = _variable(*map(str, error["loc"]))
    setting = declared_settings().get(variable)
    if setting and setting.bounds:
        lowest, highest = setting.bounds
        return f"{variable} is {str(error['input'])!r}; set a whole number from {lowest} to {highest}."
    return f"{variable} {error.get('ctx', {}).get('error', 'cannot be used')}"


def _variable(field: str, *inner: str) -> str:
    if field == "servers":
        server, name = inner[:2]
        return variable_of(server, name.upper())
    return f"{PREFIX}{(inner[0] if field == 'adherence' else field).upper()}"
