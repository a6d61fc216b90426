"""Reads `.env`, and one environment variable as the type it should have, for settings.py (and clock.py).

Every reader gives a ConfigurationError that names the variable when its value cannot be used. What does not belong
here: names, defaults and meanings of the variables (settings.py, the one typed place), and secrets in error texts.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import load_dotenv
from dotenv.parser import parse_stream

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.trusted_files import read_trusted

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_PREFIX = "FULLSCRIPT_"
# What the names of our secrets hold; an address may carry a token.
_SECRET_WORDS = ("SECRET", "KEY", "TOKEN", "PEPPER", "PASSWORD", "ON_FAILURE_URL")
# Every name that a reader asked for: the list of settings, without a second place that has to keep up.
_asked: set[str] = set()


def complete_from(dotenv: Path) -> None:
    """What the file sets and the environment does not. A file that is not there sets nothing.

    It goes into os.environ, because the clock, Dagster and child processes read their variables from there.
    Raises ConfigurationError as `read_dotenv` does.
    """
    # No interpolation: a secret may hold a dollar sign.
    load_dotenv(stream=StringIO(read_dotenv(dotenv)), override=False, interpolate=False)


def read_dotenv(dotenv: Path) -> str:
    """What the file says; nothing when there is none.

    Raises ConfigurationError for a line that is no setting (skipped, it would let a default take its place), and for a
    file that others could have written, or can read although it holds a secret.
    """
    try:
        written, is_open = read_trusted(dotenv.absolute())
        content = written.decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise ConfigurationError(
            f"The file {dotenv.absolute()} cannot be read ({problem.strerror}): run as its owner, or in another folder."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The file {dotenv.absolute()} cannot be read as text; fix or remove it.") from None
    lines = list(parse_stream(StringIO(content)))
    if wrong := next((one.original for one in lines if one.error), None):
        # The line itself is not repeated: it may hold a secret.
        raise ConfigurationError(
            f"Line {wrong.line} of {dotenv.absolute()} is not a setting: write NAME=value with its quotes closed, or "
            "remove it."
        )
    if is_open and (held := _secrets({line.key: line.value or "" for line in lines if line.key})):
        raise ConfigurationError(
            f"The file {dotenv.absolute()} holds {held[0]}, and other users can read it: `chmod 600 "
            f"{dotenv.absolute()}`."
        )
    return content


def _secrets(values: Mapping[str, str]) -> list[str]:
    """Those of the names that hold a secret. What a sandbox on this machine gave out is none."""
    local = tuple(
        name.removesuffix("API_URL")
        for name in values
        if name.endswith("_API_URL") and is_loopback(os.environ.get(name) or values[name])
    )
    return [name for name, value in values.items() if value and _is_secret(name) and not name.startswith(local)]


def text(variable: str) -> str | None:
    """The value without its outer spaces; None when it is not set or empty."""
    _asked.add(variable)
    return os.environ.get(variable, "").strip() or None


# SQLite, for us and for Dagster, reads what follows them in an address as options, or as another letter.
_NOT_IN_FOLDERS = "?#%"


def folder(variable: str, default: str) -> Path:
    """An absolute folder, not made yet. Raises ConfigurationError for a name that not every part of us can use."""
    value = os.environ.get(variable) or default
    _asked.add(variable)
    try:
        path = Path(value).expanduser().absolute()
        os.fspath(path).encode()
    except (RuntimeError, UnicodeEncodeError):
        raise ConfigurationError(
            f"{variable} names a folder of a user who is not known here, or one whose name is not UTF-8: set it to "
            "another."
        ) from None
    unusable = [one for one in _NOT_IN_FOLDERS if one in str(path)] + ["a NUL"] * ("\0" in str(path))
    if unusable or value != value.strip():
        reason = f"holds {' and '.join(unusable)}" if unusable else "begins or ends with a blank"
        raise ConfigurationError(
            f"{variable} cannot be used: the path {reason}. Set it to a folder whose path does not."
        )
    return path


def unknown() -> dict[str, str | None]:
    """Names in the environment that look like settings and that no reader has asked for; with the likeliest meant.

    Call it after `load_settings`, which asks for all of them.
    """
    settings = {name.removeprefix(_PREFIX): name for name in sorted(_asked)}
    strange = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in _asked)
    # The prefix says nothing of what was meant.
    close = {name: get_close_matches(name.removeprefix(_PREFIX), settings, n=1, cutoff=0.7) for name in strange}
    return {name: settings[found[0]] if found else None for name, found in close.items()}


def several(value: str | None) -> tuple[str, ...]:
    """The parts of a comma separated text."""
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def integer(variable: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from `lowest` to `highest`."""
    given = text(variable) or str(default)
    value = int(given) if given.isascii() and given.isdigit() and len(given) <= len(str(highest)) else lowest - 1
    if not lowest <= value <= highest:
        raise ConfigurationError(f"{variable} is {given!r}; set a whole number from {lowest} to {highest}.")
    return value


def switch(variable: str, *, default: bool) -> bool:
    """on or off."""
    given = (text(variable) or ("on" if default else "off")).lower()
    if given not in {"on", "off"}:
        raise ConfigurationError(f"{variable} is {given!r}; set it to on or off.")
    return given == "on"


def calendar_day(variable: str, default: date) -> date:
    """A date, ISO 8601."""
    given = text(variable)
    try:
        return date.fromisoformat(given) if given else default
    except ValueError:
        raise ConfigurationError(f"{variable} is {given!r}, which is not a date; write it like 2024-01-01.") from None


def time_zone(variable: str) -> ZoneInfo:
    """A time zone of the IANA database; UTC when it is not set."""
    name = text(variable) or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"{variable} is {name!r}, which is not a time zone; write it like America/Toronto."
        ) from None


def web_url(variable: str, default: str, *, encrypted: bool = False) -> str:
    """An http(s) URL with a host. `encrypted` insists on https outside loopback: tokens travel on it."""
    given = text(variable) or default
    if not given:
        return given
    try:
        parts = urlsplit(given)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in given):
        # The value is not repeated: a pasted URL may carry credentials.
        raise ConfigurationError(f"{variable} is not an http(s) URL; write it like {default or 'https://host/path'}.")
    if encrypted and parts.scheme == "http" and not is_loopback(given):
        raise ConfigurationError(f"{variable} must start with https: a production server's tokens travel on it.")
    return given


def is_loopback(url: str) -> bool:
    """Whether it is on this machine."""
    try:
        return urlsplit(url).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False


def socket_address(variable: str) -> str | tuple[str, int] | None:
    """The absolute path of a local socket, or host and port."""
    given = text(variable)
    if not given or given.startswith("/"):
        return given
    host, _, port = given.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise ConfigurationError(f"{variable} is {given!r}; set a socket's path, like /dev/log, or host:port.")
    return host.strip("[]"), int(port)


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables for a program that is not ours: all but our secrets, which it does not need."""
    return {name: value for name, value in variables.items() if not _is_secret(name)}


@contextmanager
def hidden_secrets() -> Iterator[None]:
    """Within the block our secrets are not in os.environ: for what starts a program and takes no environment."""
    held = {name: value for name, value in os.environ.items() if _is_secret(name)}
    for name in held:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(held)


def _is_secret(name: str) -> bool:
    held = name.removesuffix("_FILE").removesuffix("_COMMAND")
    return held == name and name.startswith(_PREFIX) and any(word in name for word in _SECRET_WORDS)
