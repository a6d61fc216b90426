"""The settings of a command: made once, after its options were read, and passed to it as `settings`.

What does not belong here: what is a setting (`settings`).
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from fullscript_pipeline.cli.console import use_json_lines

Result = TypeVar("Result")


def with_settings(command: Callable[..., Result]) -> Callable[..., Result]:
    """Passes the settings to `command`. Raises ConfigurationError naming the variable that cannot be used."""

    @wraps(command)
    def run(*arguments: object, **options: object) -> Result:
        from fullscript_pipeline.settings import load_settings  # noqa: PLC0415 - pydantic, which help need not wait for

        settings = load_settings()
        if settings.log_format == "json":
            use_json_lines()
        return command(*arguments, settings=settings, **options)

    return run
