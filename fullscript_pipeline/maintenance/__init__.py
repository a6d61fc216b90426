"""Backup, restore, erasure, key rotation and page rebuilds, without Dagster."""

from fullscript_pipeline.maintenance import page_rebuild
from fullscript_pipeline.maintenance.backup import (
    Backup,
    back_up,
    backups_under_different_keys,
    require_contents,
    restore,
)
from fullscript_pipeline.maintenance.erasure import Purged, purge_everywhere
from fullscript_pipeline.maintenance.key_rotation import Rotation, plan_rotation, rotate_keys
from fullscript_pipeline.maintenance.person_file import write_person_file
from fullscript_pipeline.maintenance.view_acceptance import ViewAcceptance, present_view
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl, open_warehouse

__all__ = [
    "Backup",
    "Purged",
    "Rotation",
    "ViewAcceptance",
    "back_up",
    "backups_under_different_keys",
    "mart_ddl",
    "open_warehouse",
    "page_rebuild",
    "plan_rotation",
    "present_view",
    "purge_everywhere",
    "require_contents",
    "restore",
    "rotate_keys",
    "write_person_file",
]
