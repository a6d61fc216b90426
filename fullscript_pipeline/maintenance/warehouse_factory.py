"""Opens the warehouse of this data directory, migrated to this version, for assets and commands.

What does not belong here: reading it or writing to it.
"""

from collections.abc import Hashable
from functools import cache
from importlib.resources import files

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse import Warehouse, moved_file, warehouse_of
from fullscript_pipeline.warehouse.upgrades import migrate


def open_warehouse(settings: Settings, *, is_moving: bool = False) -> Warehouse:
    """Raises ConfigurationError for a file of a newer version or a wrong key, Busy when it is held too long.

    A new one is not made beside one that `migrate-store` would move, unless that is what is going on (`is_moving`).
    """
    warehouse = _opened(settings)
    if not is_moving:
        _refuse_second_warehouse(settings, warehouse)
    if warehouse.identity() not in _MIGRATED:
        settings.prepare_data_dir()
        migrate(warehouse, mart_ddl())
        _MIGRATED.add(warehouse.identity())
    return warehouse


def _refuse_second_warehouse(settings: Settings, warehouse: Warehouse) -> None:
    """Raises ConfigurationError where the data are elsewhere: a new, empty warehouse would look like their loss."""
    file, moved = settings.warehouse_path, moved_file(settings.warehouse_path)
    if settings.lake_catalog and file.exists():
        raise ConfigurationError(
            f"{file} holds what was pulled before FULLSCRIPT_WAREHOUSE_URL was set: `fullscript-pipeline migrate-store "
            f"file ducklake:postgres:...` moves it into the lake in {warehouse.place}. To go on with the lake as it "
            "is, move the file away."
        )
    if not settings.lake_catalog and moved.exists() and not warehouse.exists():
        raise ConfigurationError(
            f"The warehouse was moved into a lake, and {moved} is what was left: set FULLSCRIPT_WAREHOUSE_URL. To "
            "begin anew, move that file away."
        )


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
