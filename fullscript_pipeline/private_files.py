"""Whatever we write is its owner's only, from the moment it is there: files 0600, folders 0700.

Our own code gives the mode when it makes a file. Libraries do not: DuckDB makes its write-ahead log and what it spills
as the process's umask says, Dagster its databases and logs. So a process of ours takes the umask for good
(`keep_files_private`), and code that others import takes it for as long as such a library may write (`private_files`).
What does not belong here: rights of what is there already (`settings`, `health`).
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
    """For the rest of this process and for those it starts. Called where a process of ours begins."""
    os.umask(_PRIVATE)


@contextmanager
def private_files() -> Iterator[None]:
    """Within the block nothing that this process makes can be read by others; blocks of several threads may overlap."""
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
    """Makes a folder, and those above it that are missing, for their owner only (`mkdir` opens the latter)."""
    if folder.is_dir():
        return
    for missing in reversed([parent for parent in (folder, *folder.parents) if not parent.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
