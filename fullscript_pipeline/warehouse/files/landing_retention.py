"""How long landed pages are kept.

They are what core can be rebuilt from without asking again, and proof of what was received; nothing reads an old one
otherwise. What does not belong here: pages kept of earlier days (`reports.kept`).
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path


@dataclass(frozen=True)
class Tidied:
    """What was (or would be) removed."""

    files: int = 0
    bytes: int = 0


def tidy_landing(landing_dir: Path, keep_days: int, today: date, *, only_look: bool = False) -> Tidied:
    """Removes landed pages of days before the last `keep_days`; 0 keeps them all.

    Files of an interrupted pull as well: nobody takes one up after so long (`extraction.claims`).
    """
    files = size = 0
    if not keep_days:
        return Tidied()
    for folder in landing_dir.glob("*/*/*"):
        if not _is_before(folder, today - timedelta(days=keep_days)):
            continue
        for path in folder.iterdir():
            files, size = files + 1, size + path.stat().st_size
            if not only_look:
                path.unlink(missing_ok=True)
        if not only_look:
            with suppress(OSError):  # a file came in between
                folder.rmdir()
    return Tidied(files, size)


def _is_before(folder: Path, first: date) -> bool:
    try:
        return folder.is_dir() and date.fromisoformat(folder.name) < first
    except ValueError:
        return False
