"""Puts everything that is sealed in a data directory under another key, resumably; the former key opens nothing then.

The order: a note that a change is under way (nobody opens a sealed file from then on), the state store (no process
with the former key writes any more), landing files, published copies, the warehouse, what was left behind, the note of
the new key. Each step leaves alone what is under the new key already, so that a change that was killed is run again.
What does not belong here: how one file is put under another key (`warehouse.rekey`, `state.key_rotation`).
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
from fullscript_pipeline.maintenance.backup import refuse_while_a_run_lands
from fullscript_pipeline.settings import Settings, encryption_keys
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.files import FINISHED, reencryption

# Bytes a second; measured were 13 to 17 MB and 41 to 46 MB a CPU second (`benchmarks/key_rotation.py`).
DATABASE_SPEED, LANDING_SPEED = 12_000_000, 40_000_000
_LANDED = {FINISHED, ".open", ".abandoned"}
_SPARE = 64_000_000
Told = Callable[[str], None]


@dataclass(frozen=True)
class Rotation:
    """What is not under the new key yet. `databases`: file, its key now, and the key that it gets."""

    new: str
    values: int
    landing: tuple[Path, ...]
    databases: tuple[tuple[Path, str | None, str], ...]
    bytes_of_state: int
    free: int

    @property
    def bytes_of_landing(self) -> int:
        return _sizes(self.landing)

    @property
    def bytes_of_databases(self) -> int:
        return _sizes(path for path, _, _ in self.databases)

    @property
    def bytes(self) -> int:
        return self.bytes_of_landing + self.bytes_of_databases + self.bytes_of_state

    @property
    def seconds(self) -> float:
        return self.bytes_of_databases / DATABASE_SPEED + self.bytes_of_landing / LANDING_SPEED + 1

    @property
    def needed(self) -> int:
        """Free bytes: each file stands twice for a while, one at a time."""
        files = [*self.landing, *(path for path, _, _ in self.databases)]
        return max([self.bytes_of_state, *(path.stat().st_size for path in files)]) * 11 // 10 + _SPARE


def plan_rotation(settings: Settings) -> Rotation:
    """What would be done, after everything was found readable; nothing is changed.

    Raises ConfigurationError for what none of the keys opens, LandingDamage for a damaged landing file, Busy while a
    run is landing pages.
    """
    new = encryption_keys(settings.encryption_key)[0]
    refuse_while_a_run_lands(settings.landing_dir)
    with StateStore(settings.state_path, settings.encryption_key) as store:
        if store.get_fact("kind") == "production":
            require_good_keys([new])
        values = store.count_to_reseal(new)
    keys = _candidates(settings)
    landing = tuple(path for path in _landed(settings) if not reencryption.are_frames_sealed_with(path, new))
    for path in landing:
        reencryption.require_intact_frames(path, keys)
    free = shutil.disk_usage(settings.data_dir).free
    return Rotation(new, values, landing, tuple(_databases(settings, keys)), settings.state_path.stat().st_size, free)


def rotate_keys(settings: Settings, told: Told) -> int:
    """Does it, or goes on with what was interrupted; the number of values and files. Raises as `plan_rotation`."""
    new, keys = encryption_keys(settings.encryption_key)[0], _candidates(settings)
    before = _record(settings)
    write_record(settings.data_dir, KeyRecord(before.key if before else None, fingerprint(new)))
    with StateStore(settings.state_path, settings.encryption_key) as store:
        try:
            refuse_while_a_run_lands(settings.landing_dir)
            done = store.reseal(new)
        except PipelineError:  # nothing was changed
            _put_back(settings, before)
            raise
        store.wipe_deleted()
    told("The state store is under the new key.")
    for path in _landed(settings):
        if not reencryption.are_frames_sealed_with(path, new):
            reencryption.rekey_frames(path, keys, new)
            done += 1
    told("The landing files are.")
    for path, old, key in _databases(settings, keys):
        is_warehouse = path == settings.warehouse_path
        reencryption.rekey_database(path, old, key, settings.data_dir / "tmp", is_shared=is_warehouse)
        told("The warehouse is." if is_warehouse else f"{path} is.")
        done += 1
    _sweep(settings)
    write_record(settings.data_dir, KeyRecord(fingerprint(new)))
    return done


def _record(settings: Settings) -> KeyRecord | None:
    try:
        return read_record(settings.data_dir)
    except ConfigurationError:  # damaged: written anew
        return None


def _put_back(settings: Settings, before: KeyRecord | None) -> None:
    if before and before.changing_to:
        return  # it was interrupted before as well
    write_record(settings.data_dir, before) if before else remove_record(settings.data_dir)


def _candidates(settings: Settings) -> Sequence[str | None]:
    """The keys that files may be under. None at all: only in a directory whose warehouse is a plain file, too."""
    keys: list[str | None] = list(encryption_keys(settings.encryption_key))
    path, temp = settings.warehouse_path, settings.data_dir / "tmp"
    if path.exists() and reencryption.key_of_database(path, [*keys, None], temp) is None:
        keys.append(None)
    return keys


def _landed(settings: Settings) -> list[Path]:
    return sorted(path for path in settings.landing_dir.rglob("*") if path.suffix in _LANDED and path.name[0] != ".")


def _databases(settings: Settings, keys: Sequence[str | None]) -> Iterator[tuple[Path, str | None, str]]:
    """Those that are not under their new key; the warehouse last: it tells how the directory was sealed."""
    new, temp = encryption_keys(settings.encryption_key)[0], settings.data_dir / "tmp"
    for path in sorted(settings.published_dir.glob("*.duckdb")):
        own = settings.publish_key
        try:
            found = reencryption.key_of_database(path, [*([own] if own else []), *keys], temp)
        except ConfigurationError:  # of a key that was handed out before, and no concern of ours
            continue
        if found != new and (own is None or found != own):
            yield path, found, own or new
    if settings.warehouse_path.exists():
        found = reencryption.key_of_database(settings.warehouse_path, keys, temp)
        if found != new:
            yield settings.warehouse_path, found, new


def _sweep(settings: Settings) -> None:
    """What killed commands left beside the files, and what DuckDB spilled."""
    remove_leftover_files(settings.data_dir)
    for path in (settings.data_dir / "tmp").glob("*"):
        path.unlink() if path.is_file() else None


def _sizes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
