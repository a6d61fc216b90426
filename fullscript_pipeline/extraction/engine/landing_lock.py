"""Chooses the landing file of a pull, an interrupted one of the same partition or a new one, and locks it.

What does not belong here: what is written (`warehouse.landing`).
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from fullscript_pipeline import clock
from fullscript_pipeline.encryption import require_key_of_files
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.extraction.engine.shared_claim import RESUME_WITHIN, SharedPulls, open_shared_file
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.warehouse.files import ABANDONED, FrameFile, LandingDamage

_log = logging.getLogger(__name__)


def claim_landing_file(folder: Path, resource: str, pull_id: str) -> tuple[Path, FileLock]:
    """Returns the unfinished file of this partition and resource, else a new one; and its lock.

    A file that another process is writing is left alone: two runs of a partition land one file each.
    """
    make_private_folder(folder)
    for unfinished in sorted(folder.glob(f"{resource}.*.open")):
        lock = _try_lock(unfinished)
        if lock is None or not unfinished.exists():
            continue
        # A future time means that the clock was set back: the age is unknown, so the file counts as old.
        if abs(clock.real_now().timestamp() - unfinished.stat().st_mtime) < RESUME_WITHIN.total_seconds():
            return unfinished, lock
        unfinished.rename(unfinished.with_suffix(ABANDONED))
    new = folder / f"{resource}.{clock.real_now():%H%M%S%f}-{pull_id[:8]}.open"
    lock = _try_lock(new)
    assert lock is not None  # noqa: S101 - nobody else knows the name
    return new, lock


def open_landing_file(
    folder: Path,
    resource: str,
    pull_id: str,
    *,
    landing_dir: Path,
    encryption_key: str | None,
    shared: SharedPulls | None = None,
) -> tuple[FrameFile, Callable[[], None]]:
    """Opens the file of an interrupted pull if it can be read, else a new one; with a function that releases it."""
    if shared:
        place = folder.relative_to(landing_dir).as_posix()
        return open_shared_file(shared, place, resource, pull_id=pull_id, encryption_key=encryption_key)
    while True:
        path, lock = claim_landing_file(folder, resource, pull_id)
        file = FrameFile(path, encryption_key)
        try:
            # While the lock is held: a key rotation records itself first, and then looks for locks.
            require_key_of_files(landing_dir.parent, encryption_key)
            file.cut_torn_end()
            file.requests()
        except LandingDamage as damage:
            _log.warning("%s Its pages are fetched again.", damage)
            file.rename(ABANDONED)
            release_lock(lock)
        except PipelineError:
            release_lock(lock)
            raise
        else:
            return file, partial(release_lock, lock)


def _try_lock(path: Path) -> FileLock | None:
    # One object per path and process: this process may resume a pull that failed in it.
    lock = FileLock(path.with_suffix(".lock"), mode=0o600, is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def release_lock(lock: FileLock) -> None:
    """Releases the lock of a finished file."""
    lock.release(force=True)
    Path(lock.lock_file).unlink(missing_ok=True)
