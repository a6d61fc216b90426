"""Backup and restore of a data directory, also to another machine.

A backup is a folder: the warehouse (checkpointed), the state store, landing files on request, and a manifest with the
size and SHA-256 of each. It is encrypted with the key of its source, and does not hold the key. It holds neither pages
nor Dagster's history: pages are rebuilt from the warehouse. What does not belong here: copies for readers
(`warehouse.publishing`).
"""

import hashlib
import hmac
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from fullscript_pipeline import clock
from fullscript_pipeline.atomic_files import folder_aside, remove_leftovers
from fullscript_pipeline.encryption import KeyRecord, fingerprint, write_record
from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError, UsageError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.settings import Settings, encryption_keys
from fullscript_pipeline.state import StateStore, remove_store
from fullscript_pipeline.warehouse import Warehouse, rows_in
from fullscript_pipeline.warehouse.files import copy_file, copy_private, replace_with

_log = logging.getLogger(__name__)
MANIFEST = "manifest.json"
_FORMAT = 1
_STATE = "state.sqlite"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """The contents of a verified backup: every file was read back, and its hash is correct."""

    folder: Path
    created_at: str
    files: int
    bytes: int
    rows: int


def back_up(
    settings: Settings,
    warehouse: Warehouse,
    to: Path | None = None,
    *,
    with_landing: bool = False,
    add_files: Callable[[Path], None] = lambda _folder: None,
) -> Backup:
    """Writes `<to>/<time>/` (default `<data dir>/backups/`) and verifies it.

    `add_files` puts further files into the folder. Raises ConfigurationError when there is nothing to back up or the
    folder cannot be written, Busy when the warehouse is held too long.
    """
    require_contents(settings)
    moment = clock.real_now()
    folder = (to or settings.backups_dir) / f"{moment:%Y%m%dT%H%M%SZ}"
    try:
        if folder.exists():
            raise UsageError(f"The backup {folder} exists already: wait a second, then run it again.")
        remove_leftovers(folder.parent)
        with folder_aside(folder) as temporary:
            heads = _audit_heads(settings)
            _copy_data(settings, warehouse, temporary, with_landing=with_landing)
            add_files(temporary)
            _write_manifest(temporary, settings, f"{moment:%Y-%m-%dT%H:%M:%SZ}", heads)
            verify(temporary, settings)
            temporary.rename(folder)
    except OSError as problem:
        raise ConfigurationError(
            f"The backup {folder} cannot be written ({problem.strerror}): free space, or choose another folder with "
            "--to."
        ) from None
    return verify(folder, settings)


def _copy_data(settings: Settings, warehouse: Warehouse, folder: Path, *, with_landing: bool) -> None:
    """The state store is copied before the warehouse: it may be behind the data, never ahead."""
    _copy_state(settings.state_path, folder / _STATE)
    copy_file(warehouse, folder / settings.warehouse_path.name)
    if with_landing:
        _copy_tree(settings.landing_dir, folder / settings.landing_dir.name)


def require_contents(settings: Settings) -> None:
    """Raises ConfigurationError when there is nothing to back up, or the state store is not a file."""
    require_state_file(settings)
    if not settings.warehouse_path.exists() or not settings.state_path.exists():
        raise ConfigurationError(f"There is nothing to back up in {settings.data_dir} yet: run `pull` first.")


def require_state_file(settings: Settings) -> None:
    """Raises ConfigurationError for a state store on PostgreSQL: a backup holds two files of the same moment."""
    if settings.state_url:
        raise ConfigurationError(
            f"The state store is {settings.state_place}, which this command does not copy: back it up with "
            "pg_dump, before the data directory's files, and restore it with pg_restore."
        )


def restore(settings: Settings, warehouse: Warehouse, folder: Path, *, force: bool = False) -> Backup:
    """Restores a backup into the data directory, after its hashes and its key were verified.

    Raises UsageError for a data directory that holds something (unless `force`), or a folder that is no backup; Busy
    while a run is landing pages.
    """
    require_state_file(settings)
    backup = verify(folder, settings)
    existing = [path.name for path in (settings.warehouse_path, settings.state_path) if path.exists()]
    if existing and not force:
        raise UsageError(
            f"{settings.data_dir} already holds {' and '.join(existing)}: restore into an empty "
            "FULLSCRIPT_DATA_DIR, or replace what is there with --force."
        )
    settings.prepare_data_dir()
    require_no_landing_run(settings.landing_dir)
    if key := _find_key(_manifest(folder), settings):
        write_record(settings.data_dir, KeyRecord(key=fingerprint(key)))
    replace_with(warehouse, folder / settings.warehouse_path.name)
    _restore_state(settings, folder / _STATE)
    landed = folder / settings.landing_dir.name
    if landed.is_dir():
        shutil.rmtree(settings.landing_dir)
        _copy_tree(landed, settings.landing_dir)
    return backup


def verify(folder: Path, settings: Settings) -> Backup:
    """Verifies every file of a backup.

    Raises UsageError when the folder is not a backup, PipelineError when it is damaged, ConfigurationError when it has
    another key than the settings.
    """
    manifest = _manifest(folder)
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    if unlisted := sorted(present - manifest["files"].keys()):
        raise PipelineError(f"The backup {folder} holds {unlisted[0]}, which is not in its manifest: remove that file.")
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"] or _sha256(path) != entry["sha256"]:
            raise PipelineError(f"The backup {folder} is damaged: {name} is not what was written; use another backup.")
    key = _find_key(manifest, settings)
    if manifest["key"] != _key_digest(key) or bool(key) != bool(settings.encryption_key):
        raise ConfigurationError(
            f"The backup {folder} was made with another FULLSCRIPT_ENCRYPTION_KEY than the present one: set the key it "
            "was made with (the key is not in the backup)."
        )
    with closing(sqlite3.connect(f"file:{folder / _STATE}?mode=ro&immutable=1", uri=True)) as state:
        if state.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise PipelineError(f"The state store in the backup {folder} is damaged; use another backup.")
    rows = _count_rows(Warehouse(folder / settings.warehouse_path.name, key))
    sizes = [entry["bytes"] for entry in manifest["files"].values()]
    return Backup(folder=folder, created_at=manifest["made_at"], files=len(sizes), bytes=sum(sizes), rows=rows)


def _count_rows(copy: Warehouse) -> int:
    """The rows of all tables. Reading them finds damage that a hash of the file does not."""
    try:
        return rows_in(copy)
    except duckdb.Error as problem:
        reason = str(problem).splitlines()[0]
        raise PipelineError(f"The warehouse in the backup cannot be read ({reason}); use another backup.") from None


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != _FORMAT:
            raise UsageError(
                f"The backup {folder} was made by a newer version of fullscript-pipeline: install that version."
            )
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{folder} is not a backup: give the folder that `backup` printed.") from None
    return manifest


def _audit_heads(settings: Settings) -> list[str]:
    """The heads of the audit log, which prove later what the log holds now."""
    with StateStore.open(settings) as store:
        return [str(head) for head in store.audit.heads()]


def _write_manifest(folder: Path, settings: Settings, created_at: str, audit_heads: list[str]) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "format": _FORMAT,
        "made_at": created_at,
        "made_by": version("fullscript-pipeline"),
        "key": _key_digest(settings.warehouse_key),
        "audit_heads": audit_heads,
        "files": {
            str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
        },
    }
    handle = os.open(folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)


def backups_under_different_keys(settings: Settings, key: str) -> list[Path]:
    """The backups in the data directory that this key does not decrypt."""
    folders = []
    for path in sorted((settings.data_dir / "backups").glob(f"*/{MANIFEST}")):
        with suppress(UsageError):
            if _manifest(path.parent)["key"] != _key_digest(key):
                folders.append(path.parent)
    return folders


def _find_key(manifest: dict[str, Any], settings: Settings) -> str | None:
    """The key of the settings that a backup was made with; None when there is none."""
    keys = encryption_keys(settings.encryption_key)
    return next((key for key in keys if _key_digest(key) == manifest["key"]), None)


def _key_digest(key: str | None) -> str | None:
    """A keyed digest that tells keys apart and reveals nothing about them."""
    return hmac.new(key.encode(), b"fullscript-pipeline backup", hashlib.sha256).hexdigest()[:16] if key else None


def _copy_state(source: Path, target: Path) -> None:
    """SQLite's own backup: consistent while others write, and safe where others have the target open."""
    if not target.exists():
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(source)) as of, closing(sqlite3.connect(target, timeout=30)) as to:
        of.backup(to)
        to.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _restore_state(settings: Settings, source: Path) -> None:
    """Replaces the state store by that of the backup, but continues the present audit log."""
    prepared = settings.state_path.with_name(f".{settings.state_path.name}.restoring")
    remove_store(prepared)
    try:
        _copy_state(source, prepared)
        with StateStore(prepared, settings.encryption_key) as store:
            store.audit.keep_log_of(settings.state_path)
            if not store.purged.keep_of(settings.state_path):
                _log.warning(
                    "The list of purged people was made with another key, so pulls may store them again: purge them "
                    "again after the next pull."
                )
        _copy_state(prepared, settings.state_path)
    finally:
        remove_store(prepared)


def require_no_landing_run(landing_dir: Path) -> None:
    """Raises Busy while a run is landing pages: it would load them over the restored data."""
    for path in landing_dir.rglob("*.lock"):
        try:
            with FileLock(path, timeout=0, mode=0o600):
                pass
        except Timeout:
            raise Busy(
                f"A run is writing to {path.parent}: wait until it ends or stop it, stop `ui` and the services too, "
                "then try again."
            ) from None


def _copy_tree(source: Path, target: Path) -> None:
    """Copies the files of a folder, readable by their owner only. Lock files are left out."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix != ".lock":
            to = target / path.relative_to(source)
            make_private_folder(to.parent)
            copy_private(path, to)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
