"""What is written beside its place and renamed when it is whole, and what a killed process left of that.

Whoever writes a folder holds its lock: one that nobody holds is a leftover, and is swept by the next command. Files are
swept by who may not leave any: a purge, a change of keys. What does not belong here: what is in them.
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
# What DuckDB spilled and nobody has touched for so long is of a process that is gone: a load takes minutes.
_SPILL_SECONDS = 6 * 3600


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """A folder to be filled, then renamed to `folder` by the caller; what is left of it afterwards is removed."""
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
    """Removes the leftovers in a folder; returns those that somebody is writing."""
    return [path for path in sorted(parent.glob(f".*{_SUFFIX}")) if path.is_dir() and not _removed(path)]


def remove_old_spill(folder: Path) -> int:
    """Removes what was spilled by processes that are gone; how many files."""
    before = time.time() - _SPILL_SECONDS
    old = [path for path in folder.glob("*") if path.is_file() and path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def remove_leftover_files(data_dir: Path) -> None:
    """Removes what killed commands left beside the files that they were writing, under whichever key: nobody may be
    writing them."""
    for pattern in _LEFT_BEHIND:
        leftovers = [*data_dir.glob(pattern), *(data_dir / "published").glob(pattern)]
        leftovers += [*(data_dir / "landing").rglob(pattern), *(data_dir / "reports").rglob(pattern)]
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
