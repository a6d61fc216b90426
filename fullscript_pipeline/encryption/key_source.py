"""Reads the encryption key from a variable, a private file, or a command that queries a vault or keyring.

Only one of `NAME`, `NAME_FILE` and `NAME_COMMAND` may be set. The command runs once per process, without a shell; the
first line of its output is the key (or several, comma separated). Neither the key nor the output is in any error or
log.
What does not belong here: how good a key is (`key_strength`), what is sealed with it.
"""

import os
import selectors
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.secret_variables import without_secrets
from fullscript_pipeline.trusted_files import read_trusted

COMMAND_SECONDS = 30.0
_LONGEST_OUTPUT = 16_384


def read_key(variable: str) -> str | None:
    """Returns the key's text; None if none is set. Raises ConfigurationError if it is unreadable or set twice."""
    file, command = f"{variable}_FILE", f"{variable}_COMMAND"
    configured = [name for name in (variable, file, command) if _text(name)]
    if len(configured) > 1:
        raise ConfigurationError(
            f"{' and '.join(configured)} are set, and the key can come from one of them only: unset the others."
        )
    if configured == [command]:
        return _printed_by(command, _text(command) or "")
    return _in_file(file) if configured == [file] else _text(variable)


def _text(variable: str) -> str | None:
    return os.environ.get(variable, "").strip() or None


def _in_file(variable: str) -> str:
    path = Path(_text(variable) or "")
    try:
        content, is_open = read_trusted(path)
        if is_open:
            raise ConfigurationError(f"The key file {path} ({variable}) can be read by other users: chmod 600 it.")
        key = content.decode().strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        raise ConfigurationError(f"The key file {path} ({variable}) is missing, empty or unreadable.")
    return key


@cache
def _printed_by(variable: str, command: str) -> str:
    """The key that a command prints. Cached, so that a successful command runs once per process."""
    try:
        words = shlex.split(command)
    except ValueError:
        raise ConfigurationError(f"{variable} has a quote that is not closed; write it like a command line.") from None
    output = _run(variable, words)
    try:
        key = output.decode().splitlines()[0].strip()
    except UnicodeDecodeError:
        raise _failed(variable, "printed what is not text") from None
    except IndexError:
        key = ""
    if not key:
        raise _failed(variable, "printed no key in its first line")
    return key


def _run(variable: str, words: list[str]) -> bytes:
    """Runs the command and returns its output. It gets none of our secrets, no input, and its own process group."""
    quiet, ours = subprocess.DEVNULL, without_secrets(os.environ)
    deadline = time.monotonic() + COMMAND_SECONDS
    try:
        process = subprocess.Popen(
            words, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, env=ours, start_new_session=True
        )
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "its name cannot be used"
        raise _failed(variable, f"could not be started ({reason})") from None
    with process:
        try:
            output = _output(process, deadline)
            if len(output) > _LONGEST_OUTPUT:
                raise _failed(variable, f"printed more than {_LONGEST_OUTPUT:,} bytes")
            code = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _failed(variable, f"did not end within {COMMAND_SECONDS:.0f} s") from None
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise _failed(variable, f"ended with {code}")
    return output


def _output(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """Reads the output to its end, or until it is too long. Raises TimeoutError."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    output = b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while len(output) <= _LONGEST_OUTPUT:
            if not ready.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            if not (piece := os.read(process.stdout.fileno(), 4096)):
                break
            output += piece
    return output


def _failed(variable: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The command of {variable} {what}: run it by hand, as this user and without a shell; the first line that it "
        "prints must be the key."
    )
