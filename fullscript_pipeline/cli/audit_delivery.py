"""Delivers audit entries as they are written: to syslog, or to a command's standard input, as JSON.

Entries stored on another machine show when this machine's log was rewritten, even by somebody with its key. What does
not belong here: the log (`state.audit_log`).
"""

import errno
import json
import os
import socket
import subprocess
from datetime import UTC, datetime

from fullscript_pipeline import clock
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.secret_variables import without_secrets
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import AuditEntry

TIMEOUT_SECONDS = 20
_NAME = "fullscript-pipeline"
_PRIORITY = 10 * 8 + 6  # authpriv, info


def deliver(settings: Settings, entry: AuditEntry) -> None:
    """Delivers to every configured target. Raises ConfigurationError when one of them refuses the entry."""
    message = json.dumps({"head": str(entry.head), "entry": entry.fields}, sort_keys=True)
    if settings.audit_syslog:
        _to_syslog(settings.audit_syslog, message)
    if settings.audit_command:
        _to_command(settings.audit_command, message)


def _to_syslog(address: str | tuple[str, int], message: str) -> None:
    """Over a local socket, delivery is certain; over the network (UDP), nobody confirms it."""
    try:
        if isinstance(address, str):
            _to_socket(address, f"<{_PRIORITY}>{_local_time()} {_NAME}[{os.getpid()}]: {message}".encode())
        else:
            head = f"<{_PRIORITY}>1 {clock.real_now().isoformat()} {socket.gethostname()} {_NAME} {os.getpid()}"
            family, *_, place = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.sendto(f"{head} audit - {message}".encode(), place)
    except OSError as problem:
        raise ConfigurationError(
            f"An audit entry could not be sent to FULLSCRIPT_AUDIT_SYSLOG ({problem.strerror or type(problem).__name__}"
            "): start the syslog server at that address, or correct the setting."
        ) from None


def _to_socket(path: str, line: bytes) -> None:
    """Most syslog servers listen for datagrams, some for a stream."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(TIMEOUT_SECONDS)
            sender.connect(path)
            sender.send(line)
            return
    except OSError as problem:
        if problem.errno != errno.EPROTOTYPE:
            raise
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sender:
        sender.settimeout(TIMEOUT_SECONDS)
        sender.connect(path)
        sender.sendall(line + b"\n")


def _local_time() -> str:
    now = datetime.now(UTC).astimezone()
    return f"{now:%b} {now.day:2d} {now:%H:%M:%S}"


def _to_command(command: tuple[str, ...], message: str) -> None:
    try:
        done = subprocess.run(
            command,
            input=message.encode(),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env=without_secrets(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(
            f"The program of FULLSCRIPT_AUDIT_COMMAND could not be run ({type(error).__name__}): correct the setting, "
            "or the program."
        ) from None
    if done.returncode:
        raise ConfigurationError(
            f"The program of FULLSCRIPT_AUDIT_COMMAND refused an audit entry (exit code {done.returncode}): correct "
            "the setting, or the program."
        )
