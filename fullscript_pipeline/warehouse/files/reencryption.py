"""Re-encrypts landing files and DuckDB files with another key: each is written to a new file next to the old one.

A new file is complete, synced and compared with the old one before it takes its name, so a kill leaves either the old
file or the new one. The next start removes leftovers. What does not belong here: which files there are,
in which order (`maintenance.key_rotation`).
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

from fullscript_pipeline.encryption import sync_folder
from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.database_comparison import require_equal
from fullscript_pipeline.warehouse.files.frame_file import FINISHED, FrameFile, LandingDamage
from fullscript_pipeline.warehouse.files.frame_format import Frame, FrameFormat

REKEYING = ".rekeying"
Keys = Sequence[str | None]


def key_of_frames(path: Path, keys: Keys) -> str | None:
    """Finds the key that a landing file is sealed with (None: it is plain). Raises ConfigurationError if none fits."""
    for key in keys:
        try:
            next(FrameFormat(key, path).pieces(path), None)
        except ConfigurationError:
            continue
        return key
    raise _under_none(path)


def are_frames_sealed_with(path: Path, key: str) -> bool:
    """Whether a landing file is sealed with `key` and bound to its place; also True for an empty file."""
    try:
        first = next(FrameFormat(key, path).pieces(path), None)
    except ConfigurationError:
        return False
    return first is None or (isinstance(first, Frame) and first.number is not None)


def require_intact_frames(path: Path, keys: Keys) -> None:
    """Raises ConfigurationError for a landing file of another key, LandingDamage for a damaged one."""
    for _ in FrameFile(path, key_of_frames(path, keys)).frames():
        pass


def rekey_frames(path: Path, keys: Keys, new: str) -> None:
    """Re-encrypts a landing file with `new`. Raises as `require_intact_frames` and leaves the file unchanged then."""
    old = key_of_frames(path, keys)
    temporary = path.with_name(f".{path.name}{REKEYING}")
    temporary.unlink(missing_ok=True)
    written = _write_frames(path, FrameFormat(old, path), temporary, FrameFormat(new, path))
    if _digest(piece for piece in FrameFormat(new, path).pieces(temporary) if isinstance(piece, Frame)) != written:
        raise PipelineError(f"{path} could not be written anew: what was read back is not what was written.")
    times = path.stat()  # how old an interrupted pull is
    os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))
    temporary.replace(path)
    sync_folder(path.parent)


def _write_frames(path: Path, source: FrameFormat, temporary: Path, target: FrameFormat) -> str:
    """Writes the new file and returns the digest of its content."""
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        content = hashlib.new("sha256")
        number, is_closed = 0, False
        for piece in source.pieces(path):
            if not isinstance(piece, Frame):
                if path.suffix == FINISHED or piece.end is not None:
                    raise LandingDamage(f"The landing file {path} is damaged at byte {piece.start}: move it away.")
                break  # a crash tore off the end, which its pull fetches again
            number, is_closed = piece.number or number + 1, piece.is_closing
            file.write(target.seal(piece.payload, number, is_closing=is_closed))
            _hash_frame(content, piece)
        if path.suffix == FINISHED and not is_closed:  # from a version that wrote no closing frame
            closing = Frame(start=0, end=0, text=b"", number=number + 1, is_closing=True)
            file.write(target.seal_text(b"", closing.number or 0, is_closing=True))
            _hash_frame(content, closing)
        file.flush()
        os.fsync(file.fileno())
    return content.hexdigest()


def _digest(frames: Iterator[Frame]) -> str:
    content = hashlib.new("sha256")
    for frame in frames:
        _hash_frame(content, frame)
    return content.hexdigest()


def _hash_frame(content: "hashlib._Hash", frame: Frame) -> None:
    content.update(f"{len(frame.text)} {frame.is_closing} ".encode())
    content.update(frame.text)


def key_of_database(path: Path, keys: Keys, temp_dir: Path) -> str | None:
    """Finds the key of a DuckDB file. Raises ConfigurationError if none fits, or if the file is damaged."""
    for key in keys:
        try:
            with _opener(temp_dir).sibling(path, key).read_unlocked():
                return key
        except ConfigurationError as problem:
            if "damaged" in str(problem):
                raise
    raise _under_none(path)


def rekey_database(path: Path, old: str | None, new: str, temp_dir: Path, *, is_shared: bool) -> None:
    """Copies a DuckDB file into a file encrypted with `new`, compares every table, and replaces the old file.

    `is_shared`: other processes open it under its lock (the warehouse). Raises Busy if the lock is held too long.
    """
    database = _opener(temp_dir).sibling(path, old)
    fresh = path.with_name(f".{path.name}{REKEYING}")
    exclusive_file: AbstractContextManager[object] = database.exclusive_file() if is_shared else nullcontext()
    with exclusive_file:
        for left in (fresh, Path(f"{fresh}.wal")):
            left.unlink(missing_ok=True)
        with database.read_with_target(fresh, new, is_shared=is_shared) as con:
            con.execute("COPY FROM DATABASE warehouse TO target")
            require_equal(con, "warehouse", "target", what=str(path))
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        if Path(f"{path}.wal").exists() or Path(f"{fresh}.wal").exists():
            raise PipelineError(f"{path} has changes that are not in the file itself: close what else has it open.")
        fresh.replace(path)
        sync_folder(path.parent)


@lru_cache(maxsize=1)
def _opener(temp_dir: Path) -> Warehouse:
    """A warehouse that opens files of any key; its spilled files are encrypted."""
    return Warehouse(temp_dir / "none", "a key", temp_dir=temp_dir)


def _under_none(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} opens with none of the keys in FULLSCRIPT_ENCRYPTION_KEY: list the one that it is under as well, the "
        "new key first. Nothing of it was changed."
    )
