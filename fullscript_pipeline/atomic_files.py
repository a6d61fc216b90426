"""Folders that are written under a temporary name and renamed when complete, and the leftovers of killed processes.

The writer of a folder holds its lock: a folder with a free lock is a leftover, which the next command removes. Leftover
files are removed by commands that must not leave any: a purge, a change of keys. What does not belong here: the content
of files.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fullscript_pipeline.private_files import make_private_folder

_SUFFIX = ".writing"
_LEFT_BEHIND = (
    ".*.rekeying", ".*.rekeying.wal", ".*.rewriting", ".*.rewriting.wal", ".*.writing", ".*.writing.wal",
    ".*.restoring", ".*.restoring-*", ".writing-*",
)  # fmt: skip
# A spilled file that was not changed for this long is of a dead process: a load takes minutes.
_SPILL_SECONDS = 6 * 3600


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder, which the caller fills and renames to `folder`; otherwise it is removed."""
    from filelock import FileLock  # noqa: PLC0415 - every command imports this module, few write

    temporary = folder.with_name(f".{folder.name}{_SUFFIX}")
    make_private_folder(folder.parent)
    lock = FileLock(_lock_of(temporary), mode=0o600)
    with lock:
        try:
            make_private_folder(temporary)
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def remove_leftovers(parent: Path) -> list[Path]:
    """Removes the leftovers in a folder; returns the temporary folders that are being written."""
    return [path for path in sorted(parent.glob(f".*{_SUFFIX}")) if path.is_dir() and not _removed(path)]


def remove_old_spill(folder: Path) -> int:
    """Removes spilled files of dead processes; returns their number."""
    before = time.time() - _SPILL_SECONDS
    old = [path for path in folder.glob("*") if path.is_file() and path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def remove_leftover_files(data_dir: Path, files_dir: Path) -> None:
    """Removes the temporary files that killed commands left, whatever their key. Nothing may be writing meanwhile."""
    for pattern in _LEFT_BEHIND:
        leftovers = [*data_dir.glob(pattern), *(files_dir / "published").glob(pattern)]
        leftovers += [*(data_dir / "landing").rglob(pattern), *(files_dir / "reports").rglob(pattern)]
        for path in leftovers:
            if path.is_file():
                path.unlink()


def _removed(temporary: Path) -> bool:
    from filelock import FileLock, Timeout  # noqa: PLC0415

    lock = FileLock(_lock_of(temporary), mode=0o600)
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(temporary, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        return False
    return not temporary.exists()


def _lock_of(temporary: Path) -> Path:
    return temporary.with_name(f"{temporary.name}.lock")
