"""The record of the key of a data directory's files: `encryption.json`, written by `keys rotate` and `restore`.

Before the first change there is no record, and the files are encrypted with the last key of the setting. During a
change of keys, or after an interrupted one, the record states that, and no process opens or writes a sealed file. The
state store records its own key. The record holds fingerprints only. What does not belong here: changing keys
(`maintenance.key_rotation`).
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fullscript_pipeline.encryption.fingerprint import fingerprint, with_fingerprint
from fullscript_pipeline.errors import Busy, ConfigurationError

_NAME, _LOCK = "encryption.json", "encryption.lock"


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """The fingerprints of the key of the files (None: never recorded), and of the key that they are changed to."""

    key: str | None
    changing_to: str | None = None


def read_record(data_dir: Path) -> KeyRecord | None:
    """Reads the record; None if there is none. Raises ConfigurationError if it cannot be read."""
    try:
        fields = json.loads((data_dir / _NAME).read_text(encoding="utf-8"))
        return KeyRecord(key=fields["key"], changing_to=fields["changing_to"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"{data_dir / _NAME}, which says under which key the files are, cannot be read: run `fullscript-pipeline "
            "keys rotate`, which writes it anew."
        ) from None


def has_record(data_dir: Path) -> bool:
    return (data_dir / _NAME).exists()


def write_record(data_dir: Path, record: KeyRecord) -> None:
    """Writes the record durably and atomically."""
    path = data_dir / _NAME
    temporary = path.with_name(f".{_NAME}.writing")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(data_dir)


def remove_record(data_dir: Path) -> None:
    """Removes the record, so that the directory is as before its first change of keys."""
    (data_dir / _NAME).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def changing_keys(data_dir: Path) -> Iterator[None]:
    """Allows one change of keys at a time. Raises Busy."""
    try:
        with FileLock(data_dir / _LOCK, mode=0o600, timeout=0):
            yield
    except Timeout:
        raise Busy("Another `keys rotate` is under way in this data directory: let it finish.") from None


def key_of_files(data_dir: Path, keys: Sequence[str]) -> str | None:
    """The key of the files, out of the setting's keys; None: no key is set and none was recorded.

    Raises ConfigurationError if a change was interrupted or the key is not among these, Busy during a change.
    """
    record = read_record(data_dir)
    if record is None:
        return keys[-1] if keys else None
    if record.changing_to:
        raise _in_change(data_dir)
    key = with_fingerprint(keys, record.key) if record.key else None
    if key is None:
        set_to = "does not hold" if keys else "is not set to"
        raise ConfigurationError(
            f"The data in {data_dir} is encrypted, and FULLSCRIPT_ENCRYPTION_KEY {set_to} the key that it is under "
            "since `keys rotate` or `restore`: set that key. Where it is set, this process was started before: start "
            "it again."
        )
    return key


def require_key_of_files(data_dir: Path, key: str | None) -> None:
    """Checks `key` before a sealed file is created. Raises as `key_of_files` if it is no longer the current key."""
    record = read_record(data_dir)
    if record and (record.changing_to or record.key != (fingerprint(key) if key else None)):
        key_of_files(data_dir, [key] if key else [])


def _in_change(data_dir: Path) -> ConfigurationError | Busy:
    try:
        with changing_keys(data_dir):
            pass
    except Busy:
        return Busy("The encryption key is being changed (`keys rotate`): try again when that is done.")
    return ConfigurationError("`fullscript-pipeline keys rotate` was interrupted: run it again, with both keys set.")
