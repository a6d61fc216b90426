"""Opens the warehouse of this data directory, migrated to this version, for assets and commands.

What does not belong here: reading it or writing to it.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.upgrades import migrate


def open_warehouse(settings: Settings) -> Warehouse:
    """Raises ConfigurationError for a file of a newer version or a wrong key, Busy when it is held too long."""
    warehouse = _warehouse_at(settings.warehouse_path, settings.warehouse_key)
    if _file_identity(warehouse) not in _MIGRATED:
        settings.prepare_data_dir()
        migrate(warehouse, mart_ddl())
        _MIGRATED.add(_file_identity(warehouse))
    return warehouse


def stored_warehouse(settings: Settings) -> Warehouse:
    """As `open_warehouse`, for commands that read: it makes no file, and reading says that there is none."""
    if settings.warehouse_path.exists():
        return open_warehouse(settings)
    return _warehouse_at(settings.warehouse_path, settings.warehouse_key)


# Files that this process has brought to this version; every step opens the warehouse, and asking it costs an attach.
_MIGRATED: set[tuple[str, int] | None] = set()


def _file_identity(warehouse: Warehouse) -> tuple[str, int] | None:
    """Path and inode, because a restore replaces the file. None while there is none."""
    return (str(warehouse.path), warehouse.path.stat().st_ino) if warehouse.exists() else None


@cache
def _warehouse_at(path: Path, key: str | None) -> Warehouse:
    """One DuckDB instance a process: its extension is loaded once."""
    return Warehouse(path, key)


@cache
def mart_ddl() -> tuple[str, ...]:
    """The DDL of the rooms that own marts."""
    rooms = ("adherence", "catalog")
    return tuple(
        files(f"fullscript_pipeline.{room}").joinpath("sql", "marts.sql").read_text(encoding="utf-8") for room in rooms
    )
