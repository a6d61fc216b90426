"""Opens the warehouse of this data directory, migrated to this version, for assets and commands.

What does not belong here: reading it or writing to it.
"""

from collections.abc import Hashable
from functools import cache
from importlib.resources import files

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse import Warehouse, warehouse_of
from fullscript_pipeline.warehouse.upgrades import migrate


def open_warehouse(settings: Settings) -> Warehouse:
    """Raises ConfigurationError for a file of a newer version or a wrong key, Busy when it is held too long."""
    warehouse = _opened(settings)
    if warehouse.identity() not in _MIGRATED:
        settings.prepare_data_dir()
        migrate(warehouse, mart_ddl())
        _MIGRATED.add(warehouse.identity())
    return warehouse


def stored_warehouse(settings: Settings) -> Warehouse:
    """As `open_warehouse`, for commands that read: it makes no file, and reading says that there is none."""
    warehouse = _opened(settings)
    return open_warehouse(settings) if warehouse.exists() else warehouse


def has_warehouse(settings: Settings) -> bool:
    return _opened(settings).exists()


# What this process has brought to this version; every step opens the warehouse, and asking it costs an attach.
_MIGRATED: set[Hashable | None] = set()
_OPENED: dict[Hashable, Warehouse] = {}


def _opened(settings: Settings) -> Warehouse:
    """One DuckDB instance a process: its extension is loaded once."""
    lake = settings.lake_catalog
    place = (settings.warehouse_path, lake, settings.lake_files if lake else settings.warehouse_key)
    if place not in _OPENED:
        _OPENED[place] = warehouse_of(settings)
    return _OPENED[place]


@cache
def mart_ddl() -> tuple[str, ...]:
    """The DDL of the rooms that own marts."""
    rooms = ("adherence", "catalog")
    return tuple(
        files(f"fullscript_pipeline.{room}").joinpath("sql", "marts.sql").read_text(encoding="utf-8") for room in rooms
    )
