"""How the text of one environment variable becomes a value, as types that the declarations use.

Each parser raises ValueError with the rest of a sentence that begins with the variable's name: what is wrong with the
value, and what is allowed. It never repeats a value that may hold a secret. What does not belong here: names, bounds
and defaults of settings (`declaration`, `servers`, `adherence`).
"""

import os
import re
import shlex
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

# SQLite, for us and for Dagster, reads what follows them in an address as options, or as another letter.
_NOT_IN_FOLDERS = "?#%"

LANGUAGES: tuple[Literal["en", "fr"], ...] = ("en", "fr")
LOG_FORMATS: tuple[Literal["text", "json"], ...] = ("text", "json")


def parse_folder(text: str) -> Path:
    """Return an absolute folder, not made yet. Raises ValueError for a name that not every part of us can use."""
    if not text:
        raise ValueError("is empty; set it to a folder.")
    try:
        path = Path(text).expanduser().absolute()
        os.fspath(path).encode()
    except (RuntimeError, UnicodeEncodeError):
        raise ValueError(
            "names a folder of a user who is not known here, or one whose name is not UTF-8: set it to another."
        ) from None
    unusable = [letter for letter in _NOT_IN_FOLDERS if letter in str(path)] + ["a NUL"] * ("\0" in str(path))
    if unusable or text != text.strip():
        reason = f"holds {' and '.join(unusable)}" if unusable else "begins or ends with a blank"
        raise ValueError(f"cannot be used: the path {reason}. Set it to a folder whose path does not.")
    return path


def parse_state_url(text: str) -> str | None:
    """Return the address of a PostgreSQL database; None for an empty one. The text may hold a password."""
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise ValueError("is no address of a PostgreSQL database; write it as postgresql://USER@HOST/DATABASE.")
    return text.replace("postgres://", "postgresql://", 1)


def parse_files_url(text: str) -> str:
    """Return the address of a folder (`file:///srv/files`) or of a place in a bucket (`s3://bucket/prefix`)."""
    parts = urlsplit(text)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return f"file://{parse_folder(text.removeprefix('file://'))}"
    # Credentials are not repeated: they do not belong into the address.
    if parts.scheme != "s3" or not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9._-]+)*/?", text):
        raise ValueError(
            "is no place for files; write it as file:///FOLDER or s3://BUCKET/PREFIX, with credentials in AWS_* "
            "variables only."
        )
    return text.rstrip("/")


def parse_warehouse_url(text: str) -> str | None:
    """Return what PostgreSQL's library is given for a lake's catalog, perhaps with a password; None for ""."""
    if not text:
        return None
    catalog = text.removeprefix("ducklake:postgres:").strip()
    if catalog == text or not catalog:
        raise ValueError(
            "is no address of a lake; write it as ducklake:postgres:dbname=DATABASE host=HOST user=USER, with the "
            "password in ~/.pgpass or PGPASSWORD."
        )
    return catalog


def parse_runner(text: str) -> str:
    """Return `local`, `k8s`, or the address of a queue of runs, which may hold a password."""
    if text in {"local", "k8s"}:
        return text
    try:
        parts = urlsplit(text)
        sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        sound, options = False, {}
    allowed = {"celery+redis": set(), "celery+rediss": {"ssl_ca_certs"}}.get(parts.scheme) if sound else None
    if allowed is None or not set(options) <= allowed or not re.fullmatch(r"/?[0-9]*", parts.path) or parts.fragment:
        # The value is not repeated: it may hold a password.
        raise ValueError(
            "names no runner; set it to local, to celery+redis://HOST:PORT/0 (celery+rediss:// for TLS) or to k8s."
        )
    return text


def with_verified_tls(queue: str) -> str:
    """Return the address of a queue so that Celery and Redis's library check the server's certificate and name."""
    if not queue.startswith("rediss:"):
        return queue
    return f"{queue}{'&' if urlsplit(queue).query else '?'}ssl_cert_reqs=required&ssl_check_hostname=true"


def place_of_database(url: str) -> str:
    """Return an address of a database without its user, password and options, for sentences."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def has_password(url: str) -> bool:
    """Whether an address of a database holds a password, before the host or among its options."""
    parts = urlsplit(url)
    return bool(parts.password) or "password" in parse_qs(parts.query)


def split_commas(text: str) -> tuple[str, ...]:
    """Return the parts of a comma separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def split_command(text: str) -> tuple[str, ...]:
    """Return a program and its arguments, split as a shell would, never run by one."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise ValueError("has a quote that is not closed; write it like a command line.") from None


def parse_digits(text: str) -> int:
    """Return a whole number. The sentence for a bad one is made from the field's bounds (`reading`)."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"is {text!r}; set a whole number.")
    return int(text)


def parse_switch(text: str) -> bool:
    """Return True for `on`, False for `off`. Raises ValueError for any other word."""
    if (word := text.lower()) not in {"on", "off"}:
        raise ValueError(f"is {word!r}; set it to on or off.")
    return word == "on"


def parse_day(text: str) -> date:
    """Return a date written as ISO 8601."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is {text!r}, which is not a date; write it like 2024-01-01.") from None


def parse_time_zone(text: str) -> ZoneInfo:
    """Return a time zone of the IANA database."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"is {text!r}, which is not a time zone; write it like America/Toronto.") from None


def check_language(text: str) -> str:
    """Return the code of a language that pages can be written in."""
    if text not in LANGUAGES:
        raise ValueError(f"is {text!r}; set it to {' or '.join(LANGUAGES)}.")
    return text


def check_log_format(text: str) -> str:
    """Return the form of log lines."""
    if text not in LOG_FORMATS:
        raise ValueError(f"is {text!r}; set it to {' or '.join(LOG_FORMATS)}.")
    return text


def check_web_url(text: str, example: str = "https://host/path") -> str:
    """Return an http(s) URL with a host."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in text):
        # The value is not repeated: a pasted URL may carry credentials.
        raise ValueError(f"is not an http(s) URL; write it like {example}.")
    return text


def check_base_url(text: str) -> str:
    """Return an http(s) URL without the slashes at its end."""
    return check_web_url(text).rstrip("/")


def parse_socket(text: str) -> str | tuple[str, int]:
    """Return the absolute path of a local socket, or host and port."""
    if text.startswith("/"):
        return text
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(f"is {text!r}; set a socket's path, like /dev/log, or host:port.")
    return host.strip("[]"), int(port)


Folder = Annotated[Path, BeforeValidator(parse_folder)]
StateUrl = Annotated[str, BeforeValidator(parse_state_url)]
FilesUrl = Annotated[str, BeforeValidator(parse_files_url)]
LakeCatalogAddress = Annotated[str, BeforeValidator(parse_warehouse_url)]
Runner = Annotated[str, BeforeValidator(parse_runner)]
WholeNumber = Annotated[int, BeforeValidator(parse_digits)]
Switch = Annotated[bool, BeforeValidator(parse_switch)]
Day = Annotated[date, BeforeValidator(parse_day)]
TimeZone = Annotated[ZoneInfo, BeforeValidator(parse_time_zone)]
Language = Annotated[Literal["en", "fr"], BeforeValidator(check_language)]
LogFormat = Annotated[Literal["text", "json"], BeforeValidator(check_log_format)]
Texts = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
Command = Annotated[tuple[str, ...], BeforeValidator(split_command)]
WebUrl = Annotated[str, BeforeValidator(check_web_url)]
BaseUrl = Annotated[str, BeforeValidator(check_base_url)]
SocketAddress = Annotated[str | tuple[str, int], BeforeValidator(parse_socket)]
