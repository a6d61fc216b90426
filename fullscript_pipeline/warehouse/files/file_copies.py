"""Copies and replaces the warehouse file as a whole, under its lock; no step can leave half a file.

What does not belong here: copies with other contents (`publish`), the other files of a backup.
"""

import os
import shutil
from pathlib import Path

from fullscript_pipeline.warehouse.connection import Warehouse


def copy_file(warehouse: Warehouse, target: Path) -> None:
    """Makes a consistent copy, byte for byte, under the same key. Raises FileExistsError if `target` exists."""
    with warehouse.exclusive_file() as path:
        copy_private(path, target)


def replace_with(warehouse: Warehouse, source: Path) -> None:
    """Replaces this file with a copy of another one (a restore), whatever its key is."""
    fresh = warehouse.path.with_name(f".{warehouse.path.name}.restoring")
    fresh.unlink(missing_ok=True)
    with warehouse.exclusive_file(checkpointed=False) as path:
        copy_private(source, fresh)
        Path(f"{path}.wal").unlink(missing_ok=True)
        fresh.replace(path)


def copy_private(source: Path, target: Path) -> None:
    """Copies a file with mode 0600 and syncs it. Raises FileExistsError if the target exists."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as to, source.open("rb") as of:
        shutil.copyfileobj(of, to, 1 << 20)
        to.flush()
        os.fsync(to.fileno())
