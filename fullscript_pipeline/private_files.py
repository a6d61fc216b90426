"""Makes all written files private to their owner from their creation: files 0600, folders 0700.

Our own code sets the mode when it creates a file. Libraries use the umask of the process: DuckDB for its write-ahead
log and spilled files, Dagster for its databases and logs. So our processes set the umask permanently
(`keep_files_private`), and code that others import sets it while such a library may write (`private_files`). What does
not belong here: permissions of existing files (`settings`, `health`).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PRIVATE = 0o077
_guard = threading.Lock()
_blocks, _umask_before = 0, _PRIVATE


def keep_files_private() -> None:
    """Sets the umask for this process and those that it starts. Called at the begin of our processes."""
    os.umask(_PRIVATE)


@contextmanager
def private_files() -> Iterator[None]:
    """Makes all files private that this process creates within the block; blocks of several threads may overlap."""
    global _blocks, _umask_before  # noqa: PLW0603 - a umask is the process's, so is the count of who needs it
    with _guard:
        if not _blocks:
            _umask_before = os.umask(_PRIVATE)
        _blocks += 1
    try:
        yield
    finally:
        with _guard:
            _blocks -= 1
            if not _blocks:
                os.umask(_umask_before)


def make_private_folder(folder: Path) -> None:
    """Creates a folder and its missing parents with mode 0700 (`mkdir` would make the parents readable)."""
    if folder.is_dir():
        return
    for missing in reversed([parent for parent in (folder, *folder.parents) if not parent.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def create_private_file(path: Path, content: bytes) -> None:
    """Creates a file of mode 0600. Without a file object, which costs more than the calls for a small page."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)
