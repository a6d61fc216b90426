"""Who runs this process: the user of the operating system. Environment variables are not used: anybody can set them.

What does not belong here: the audit logs that name the user (`state.audit`, `web.audit_log`).
"""

import getpass
import os
import socket
from pathlib import Path

# The user who signed in, which `sudo` and `su` leave as it is (Linux).
_LOGIN = Path("/proc/self/loginuid")
_NOBODY = 2**32 - 1


def acting_user() -> dict[str, str]:
    """Returns `user` and `host`; also `login` if another user signed in (sudo)."""
    actor = {"user": _name(os.getuid()) if hasattr(os, "getuid") else getpass.getuser(), "host": socket.gethostname()}
    try:
        login = int(_LOGIN.read_text(encoding="ascii"))
    except (OSError, ValueError):
        login = _NOBODY
    if login not in {_NOBODY, os.getuid() if hasattr(os, "getuid") else _NOBODY}:
        actor["login"] = _name(login)
    return actor


def _name(number: int) -> str:
    try:
        import pwd  # noqa: PLC0415 - not on every system

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):  # a container may have no user names
        return f"uid {number}"
