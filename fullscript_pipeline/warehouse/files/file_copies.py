"""The warehouse's file as a whole: copied, written anew, replaced; each under its lock, and never half.

What does not belong here: copies with other contents (`publish`), what a backup holds besides.
"""

import os
import shutil
from pathlib import Path

from fullscript_pipeline.warehouse.connection import Warehouse


def copy_file(warehouse: Warehouse, target: Path) -> None:
    """A consistent, checkpointed copy, byte for byte, under the same key. Raises FileExistsError for a `target`."""
    with warehouse.exclusive_file() as path:
        copy_private(path, target)


def vacuum(warehouse: Warehouse) -> None:
    """Writes the whole file anew: DuckDB keeps what was deleted in free blocks, and here it is gone for good."""
    fresh = warehouse.path.with_name(f".{warehouse.path.name}.rewriting")
    fresh.unlink(missing_ok=True)
    with warehouse.exclusive_file() as path:
        with warehouse.read_with_target(fresh, warehouse.key) as con:
            con.execute("COPY FROM DATABASE warehouse TO target")
        fresh.replace(path)


def replace_with(warehouse: Warehouse, source: Path) -> None:
    """Puts a copy of another file in this one's place (a restore), whatever key this one has."""
    fresh = warehouse.path.with_name(f".{warehouse.path.name}.restoring")
    fresh.unlink(missing_ok=True)
    with warehouse.exclusive_file(checkpointed=False) as path:
        copy_private(source, fresh)
        Path(f"{path}.wal").unlink(missing_ok=True)
        fresh.replace(path)


def copy_private(source: Path, target: Path) -> None:
    """Copies a file for its owner only, synced. Raises FileExistsError when the target is there."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as to, source.open("rb") as of:
        shutil.copyfileobj(of, to, 1 << 20)
        to.flush()
        os.fsync(to.fileno())
