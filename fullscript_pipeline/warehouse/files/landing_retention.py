"""Deletes landed pages after their retention time.

Core can be rebuilt from landed pages without new requests, and they prove what was received; nothing else reads old
ones. What does not belong here: pages kept of earlier days (`reports.kept`).
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fullscript_pipeline.warehouse.files.shared_landing import SharedLanding


@dataclass(frozen=True, kw_only=True)
class Tidied:
    """The files that were removed, or would be."""

    files: int = 0
    bytes: int = 0

    def plus(self, other: "Tidied") -> "Tidied":
        return Tidied(files=self.files + other.files, bytes=self.bytes + other.bytes)


def tidy_landing(
    landing_dir: Path,
    keep_days: int,
    today: date,
    *,
    kept: Collection[tuple[str, str]] = (),
    only_look: bool = False,
) -> Tidied:
    """Removes the landed pages of days before the last `keep_days`; 0 keeps all of them.

    `kept`: clinics or regions, each with a day (like 2026-11-22) whose pages stay.
    Files of interrupted pulls are removed too: no pull resumes them after so long (`extraction.engine`).
    """
    files = size = 0
    if not keep_days:
        return Tidied()
    for folder in landing_dir.glob("*/*/*"):
        is_old = _is_before(folder, today - timedelta(days=keep_days))
        if not is_old or (folder.parent.name, folder.name) in kept:
            continue
        for path in folder.iterdir():
            files, size = files + 1, size + path.stat().st_size
            if not only_look:
                path.unlink(missing_ok=True)
        if not only_look:
            with suppress(OSError):  # a file was added meanwhile
                folder.rmdir()
    return Tidied(files=files, bytes=size)


def tidy_shared_landing(
    shared: SharedLanding,
    first: date,
    *,
    owners: Iterable[str] | None = None,
    kept: Collection[tuple[str, str]] = (),
    only_look: bool = False,
) -> Tidied:
    """The same in the bucket, for the days before `first`, of these owners (server/clinic, server/region) or of all."""
    files = shared.files
    if owners is None:
        owners = [f"{server}/{name}" for server in files.folders("") for name in files.folders(server)]
    tidied = Tidied()
    for place in owners:
        for day in files.folders(place):
            if not _is_day_before(day, first) or (place.rpartition("/")[2], day) in kept:
                continue
            sizes = files.sizes_below(f"{place}/{day}")
            tidied = tidied.plus(Tidied(files=len(sizes), bytes=sum(sizes)))
            if not only_look:
                files.delete_folder(f"{place}/{day}")
    return tidied


def _is_before(folder: Path, first: date) -> bool:
    return folder.is_dir() and _is_day_before(folder.name, first)


def _is_day_before(name: str, first: date) -> bool:
    try:
        return date.fromisoformat(name) < first
    except ValueError:
        return False
