"""Chooses the warehouse by FULLSCRIPT_WAREHOUSE_URL: a file of the data directory, or a lake.

A lake's module, and with it PostgreSQL's driver, is imported for a lake only. What does not belong here: tables, and
bringing them to this version (`maintenance.warehouse_factory`).
"""

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse.connection import LOCK_WAIT_SECONDS, Warehouse


def warehouse_of(settings: Settings, *, lock_wait: float = LOCK_WAIT_SECONDS) -> Warehouse:
    """The warehouse, not opened. Raises ConfigurationError where a lake is named and its packages are not there."""
    if settings.lake_catalog is None:
        return Warehouse(settings.warehouse_path, settings.warehouse_key, lock_wait=lock_wait)
    try:
        from fullscript_pipeline.warehouse.lake import Lake  # noqa: PLC0415
        from fullscript_pipeline.warehouse.lake_place import LakePlace  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            "FULLSCRIPT_WAREHOUSE_URL names a lake, and its packages are not installed: `pip install "
            "'fullscript-pipeline[distributed]'`."
        ) from None
    place = LakePlace(catalog=settings.lake_catalog, files=settings.lake_files)
    is_production = any(server.is_production and server.client_id for server in settings.servers.values())
    return Lake(place, settings.warehouse_path, settings.warehouse_key, requires_tls=is_production, lock_wait=lock_wait)
