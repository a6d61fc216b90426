"""Reads configuration and key files, and accepts only those that this user or root alone can write.

A person who can write `.env` decides where tokens are sent; a person who can write a key file chooses a key that they
know. What does not belong here: the content of such files (`environment`, `encryption.key_source`), files that we
create (`private_files`).
"""

import os
import pwd
import stat
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError

_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAY_READ = stat.S_IRGRP | stat.S_IROTH


def read_trusted(path: Path) -> tuple[bytes, bool]:
    """Returns the content, and whether other users can read the file.

    Raises ConfigurationError if another user owns or can write the file, OSError if it cannot be read.
    """
    # The opened file is both checked and read, even if the name changes meanwhile.
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
