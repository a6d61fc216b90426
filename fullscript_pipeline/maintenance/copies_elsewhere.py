"""Backups and exports that were written elsewhere, as recorded in the audit log.

What does not belong here: copies in the data directory or at the place of files, which a purge removes itself.
"""

from collections.abc import Iterator
from pathlib import Path

from fullscript_pipeline.files import open_files
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore

_BACKUP, _EXPORTS = "backup", frozenset({"export", "export --patient"})


def known_backups(settings: Settings, store: StateStore) -> list[Path]:
    """Every backup in the data directory, and every other that was ever written, even if it does not exist any more."""
    present = [path.parent for path in settings.backups_dir.glob("*/manifest.json")]
    written = (
        path
        for path in map(Path, _destinations(store, "finished", {_BACKUP}))
        if not path.is_relative_to(settings.data_dir)
    )
    return sorted({*present, *written})


def backup_folders(settings: Settings, store: StateStore) -> list[Path]:
    """All folders in which a backup was ever started: an interrupted one may have left files there."""
    return sorted({settings.backups_dir, *map(Path, _destinations(store, "started", {_BACKUP}))})


def external_exports(settings: Settings, store: StateStore) -> list[str]:
    """Places to which tables or a person's data were exported, and which a purge does not empty itself."""
    ours = (f"{open_files(settings, 'exports').address('')}/", f"{settings.data_dir}/")
    written = _destinations(store, "started", _EXPORTS)
    return sorted({place for place in written if not place.startswith(ours)})


def _destinations(store: StateStore, event: str, commands: set[str] | frozenset[str]) -> Iterator[str]:
    for entry in store.audit.entries():
        fields = entry.fields
        if fields.get("event") == event and fields.get("command") in commands and fields.get("destination"):
            yield str(fields["destination"])
