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
from fullscript_pipeline.maintenance.landing_retention import days_kept, remove_old_landing
from fullscript_pipeline.maintenance.person_file import write_person_file
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.maintenance.view_acceptance import ViewAcceptance, present_view
from fullscript_pipeline.maintenance.warehouse_factory import has_warehouse, mart_ddl, open_warehouse, stored_warehouse

__all__ = [
    "Backup",
    "Purged",
    "Rotation",
    "ViewAcceptance",
    "back_up",
    "backups_under_different_keys",
    "days_kept",
    "has_warehouse",
    "mart_ddl",
    "open_report_store",
    "open_warehouse",
    "page_rebuild",
    "plan_rotation",
    "present_view",
    "purge_everywhere",
    "remove_old_landing",
    "require_contents",
    "restore",
    "rotate_keys",
    "stored_warehouse",
    "write_person_file",
]
