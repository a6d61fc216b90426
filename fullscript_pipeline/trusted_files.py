"""Reads files that decide what we do and hold secrets: nobody but this user and root may have written them.

Whoever can write `.env` chooses where tokens go; whoever can write a key file chooses a key that they know. What does
not belong here: what such a file says (`environment`, `encryption_key`), files that we make (`private_files`).
"""

import os
import pwd
import stat
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError

_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAY_READ = stat.S_IRGRP | stat.S_IROTH


def read_trusted(path: Path) -> tuple[bytes, bool]:
    """The contents, and whether other users may read them too.

    Raises ConfigurationError when somebody else owns the file or may write it, OSError when it cannot be read.
    """
    # What was looked at is what is read, whatever happens to the name meanwhile.
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid not in {os.getuid(), 0}:
            raise ConfigurationError(
                f"The file {path} belongs to {_user(status.st_uid)}, who can change what this program does: look at "
                f"what it says, then `chown {_user(os.getuid())} {path}` as root, or remove it."
            )
        if status.st_mode & _MAY_WRITE:
            raise ConfigurationError(
                f"Other users can write the file {path}, and so change what this program does: look at what it says, "
                f"then `chmod 600 {path}`."
            )
        return file.read(), bool(status.st_mode & _MAY_READ)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
