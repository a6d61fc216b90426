"""The `.env` file: read only when nobody else can have written it, or can read a secret in it.

What does not belong here: which variables are settings (`declaration`, `servers`, `adherence`).
"""

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import load_dotenv
from dotenv.parser import parse_stream

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.secret_variables import is_secret
from fullscript_pipeline.trusted_files import read_trusted


def complete_environment(dotenv: Path) -> None:
    """Set in os.environ what the file sets and the environment does not. A file that is missing sets nothing.

    It goes into os.environ, because the clock, Dagster and child processes read their variables from there.
    Raises ConfigurationError as `read_dotenv` does.
    """
    # No interpolation: a secret may hold a dollar sign.
    load_dotenv(stream=StringIO(read_dotenv(dotenv)), override=False, interpolate=False)


def read_dotenv(dotenv: Path) -> str:
    """Return the text of the file; "" when there is none.

    Raises ConfigurationError for a line that is no setting (skipped, it would let a default take its place), and for a
    file that others could have written, or can read although it holds a secret.
    """
    try:
        content, is_open = read_trusted(dotenv.absolute())
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise ConfigurationError(
            f"The file {dotenv.absolute()} cannot be read ({problem.strerror}): run as its owner, or in another folder."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The file {dotenv.absolute()} cannot be read as text; fix or remove it.") from None
    lines = list(parse_stream(StringIO(text)))
    if wrong := next((line.original for line in lines if line.error), None):
        # The line itself is not repeated: it may hold a secret.
        raise ConfigurationError(
            f"Line {wrong.line} of {dotenv.absolute()} is not a setting: write NAME=value with its quotes closed, or "
            "remove it."
        )
    if is_open and (secrets := _secret_names({line.key: line.value or "" for line in lines if line.key})):
        raise ConfigurationError(
            f"The file {dotenv.absolute()} holds {secrets[0]}, and other users can read it: `chmod 600 "
            f"{dotenv.absolute()}`."
        )
    return text


def _secret_names(values: Mapping[str, str]) -> list[str]:
    """Return the names that hold a secret. What a sandbox on this machine gave out is none."""
    local = tuple(
        name.removesuffix("API_URL")
        for name in values
        if name.endswith("_API_URL") and is_loopback(os.environ.get(name) or values[name])
    )
    return [name for name, value in values.items() if value and is_secret(name) and not name.startswith(local)]
