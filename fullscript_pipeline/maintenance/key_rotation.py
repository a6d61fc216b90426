"""Re-encrypts everything in a data directory with another key; afterwards the old key decrypts nothing.

The order: a record that the key is changing (from then on no process opens an encrypted file), the state store (no
process with the old key writes any more), landing files, published copies, the warehouse, leftovers, the record of the
new key. Each step skips what has the new key already, so an interrupted rotation is run again. What does not belong
here: re-encrypting one file (`warehouse.files`, `state.key_rotation`).
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullscript_pipeline.atomic_files import remove_leftover_files
from fullscript_pipeline.encryption import (
    KeyRecord,
    fingerprint,
    read_record,
    remove_record,
    require_good_keys,
    write_record,
)
from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance.backup import require_no_landing_run
from fullscript_pipeline.maintenance.landed_files import landed_folders, landed_owners
from fullscript_pipeline.settings import Settings, encryption_keys
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.files import ABANDONED, FINISHED, UNFINISHED, reencryption
from fullscript_pipeline.warehouse.publishing import PUBLISHED, Level

# Bytes a second; measured were 13 to 17 MB and 41 to 46 MB a CPU second (`benchmarks/key_rotation.py`).
DATABASE_SPEED, LANDING_SPEED = 12_000_000, 40_000_000
_LANDING_SUFFIXES = {FINISHED, UNFINISHED, ABANDONED}
_SPARE_BYTES = 64_000_000
ProgressListener = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What does not have the new key yet. `databases`: the file, its present key, its new key."""

    new: str
    values: int
    landing: tuple[Path, ...]
    shared: "SharedFiles"
    databases: tuple[tuple[Path, str | None, str], ...]
    bytes_of_state: int
    free: int

    @property
    def landing_files(self) -> int:
        return len(self.landing) + self.shared.files

    @property
    def bytes_of_landing(self) -> int:
        return _total_size(self.landing) + self.shared.bytes

    @property
    def bytes_of_databases(self) -> int:
        return _total_size(path for path, _, _ in self.databases)

    @property
    def bytes(self) -> int:
        return self.bytes_of_landing + self.bytes_of_databases + self.bytes_of_state

    @property
    def seconds(self) -> float:
        return self.bytes_of_databases / DATABASE_SPEED + self.bytes_of_landing / LANDING_SPEED + 1

    @property
    def needed_bytes(self) -> int:
        """Free bytes that are needed: one file at a time exists twice for a while."""
        files = [*self.landing, *(path for path, _, _ in self.databases)]
        largest = max([self.bytes_of_state, self.shared.largest_copy, *(path.stat().st_size for path in files)])
        return largest * 11 // 10 + _SPARE_BYTES


@dataclass(frozen=True, kw_only=True)
class SharedFiles:
    """Landing files in a bucket without the new key. `largest_copy`: the most bytes of one owner's, all of them."""

    files: int = 0
    bytes: int = 0
    largest_copy: int = 0


def plan_rotation(settings: Settings) -> Rotation:
    """The work to do, after a check that everything is readable. Changes nothing.

    Raises ConfigurationError for a file that none of the keys decrypts, LandingDamage for a damaged landing file, Busy
    while a run is landing pages.
    """
    new = encryption_keys(settings.encryption_key)[0]
    require_no_landing_run(settings.landing_dir)
    _require_no_copy_elsewhere(settings)
    with StateStore.open(settings) as store:
        if store.facts.get("kind") == "production":
            require_good_keys([new])
        values, bytes_of_state = store.count_to_reseal(new), store.db.size_bytes()
        keys = _candidate_keys(settings)
        shared = _shared_files_without(settings, store, new, keys)
    landing = tuple(_landing_files_without(settings.landing_dir, new))
    for path in landing:
        reencryption.require_intact_frames(path, keys)
    free = shutil.disk_usage(settings.data_dir).free
    return Rotation(
        new=new,
        values=values,
        landing=landing,
        shared=shared,
        databases=tuple(_databases(settings, keys)),
        bytes_of_state=bytes_of_state,
        free=free,
    )


def rotate_keys(settings: Settings, report_progress: ProgressListener) -> int:
    """Rotates the key, or continues an interrupted rotation. Returns how many values and files were re-encrypted.

    Raises as `plan_rotation`.
    """
    new, keys = encryption_keys(settings.encryption_key)[0], _candidate_keys(settings)
    before = _read_key_record(settings)
    write_record(settings.data_dir, KeyRecord(key=before.key if before else None, changing_to=fingerprint(new)))
    with StateStore.open(settings) as store:
        try:
            require_no_landing_run(settings.landing_dir)
            _shared_files_without(settings, store, new, keys)
            done = store.reseal(new)
        except PipelineError:  # nothing was changed
            _restore_key_record(settings, before)
            raise
        store.wipe_deleted()
        report_progress("The state store has the new key.")
        for owner in landed_owners(settings):
            with landed_folders(settings, store, owner) as folders:
                done += sum(_rekey_landing(folder, keys, new) for folder in folders)
    report_progress("The landing files have the new key.")
    for path, old, key in _databases(settings, keys):
        is_warehouse = path == settings.warehouse_path
        reencryption.rekey_database(path, old, key, settings.data_dir / "tmp", is_shared=is_warehouse)
        report_progress(f"{'The warehouse' if is_warehouse else path} has the new key.")
        done += 1
    _remove_leftovers(settings)
    write_record(settings.data_dir, KeyRecord(key=fingerprint(new)))
    return done


def _require_no_copy_elsewhere(settings: Settings) -> None:
    """Raises ConfigurationError for a whole copy in a bucket: it may have the old key, and is no file to change."""
    files = open_files(settings, PUBLISHED)
    if not files.is_local and files.exists(Level.WHOLE.file):
        raise ConfigurationError(
            f"{files.address(Level.WHOLE.file)} may be encrypted with the old key, and only files of this machine can "
            "be encrypted again: delete it, rotate, then run `publish`."
        )


def _read_key_record(settings: Settings) -> KeyRecord | None:
    try:
        return read_record(settings.data_dir)
    except ConfigurationError:  # damaged: it is written again
        return None


def _restore_key_record(settings: Settings, before: KeyRecord | None) -> None:
    if before and before.changing_to:
        return  # it was interrupted before as well
    write_record(settings.data_dir, before) if before else remove_record(settings.data_dir)


def _candidate_keys(settings: Settings) -> Sequence[str | None]:
    """The keys that files may have. None (not encrypted) is among them only when the warehouse is not encrypted."""
    keys: list[str | None] = list(encryption_keys(settings.encryption_key))
    path, spill = settings.warehouse_path, settings.data_dir / "tmp"
    if path.exists() and reencryption.key_of_database(path, [*keys, None], spill) is None:
        keys.append(None)
    return keys


def _rekey_landing(folder: Path, keys: Sequence[str | None], new: str) -> int:
    """Re-encrypts the landing files of a folder that do not have the new key; returns their number."""
    former = _landing_files_without(folder, new)
    for path in former:
        reencryption.rekey_frames(path, keys, new)
    return len(former)


def _shared_files_without(settings: Settings, store: StateStore, key: str, keys: Sequence[str | None]) -> SharedFiles:
    """Those of a bucket. Raises Busy while a machine fills one, and as `require_intact_frames`."""
    found = SharedFiles()
    for owner in landed_owners(settings) if settings.is_landing_shared else ():
        with landed_folders(settings, store, owner) as (_, copy):
            former = _landing_files_without(copy, key)
            for path in former:
                reencryption.require_intact_frames(path, keys)
            found = SharedFiles(
                files=found.files + len(former),
                bytes=found.bytes + _total_size(former),
                largest_copy=max(found.largest_copy, _total_size(path for path in copy.rglob("*") if path.is_file())),
            )
    return found


def _landing_files_without(folder: Path, key: str) -> list[Path]:
    """The landing files that are not sealed with the key."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _LANDING_SUFFIXES and path.name[0] != ".")
    return [path for path in files if not reencryption.are_frames_sealed_with(path, key)]


def _databases(settings: Settings, keys: Sequence[str | None]) -> Iterator[tuple[Path, str | None, str]]:
    """The databases without their new key; the warehouse last, because it shows how the directory was encrypted."""
    new, spill = encryption_keys(settings.encryption_key)[0], settings.data_dir / "tmp"
    for path in sorted(settings.published_dir.glob("*.duckdb")):
        own = settings.publish_key
        try:
            current = reencryption.key_of_database(path, [*([own] if own else []), *keys], spill)
        except ConfigurationError:  # it has an earlier publish key: it is left as it is
            continue
        if current != new and (own is None or current != own):
            yield path, current, own or new
    if settings.warehouse_path.exists():
        current = reencryption.key_of_database(settings.warehouse_path, keys, spill)
        if current != new:
            yield settings.warehouse_path, current, new


def _remove_leftovers(settings: Settings) -> None:
    """Removes incomplete files of interrupted commands, and DuckDB's spill files."""
    remove_leftover_files(settings.data_dir, settings.files_dir)
    for path in (settings.data_dir / "tmp").glob("*"):
        path.unlink() if path.is_file() else None


def _total_size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
