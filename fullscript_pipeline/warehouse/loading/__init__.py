"""Landed records become rows and versions; what cannot be typed goes to quarantine."""

from fullscript_pipeline.warehouse.loading import (
    double_versions,
    drift,
    mass_deletion_guard,
    narrower_views,
    not_found_objects,
    pull_log,
    quarantine,
    reader_views,
    record_typing,
    shared_children,
    view_acceptance,
)
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.load_context import Context, Counts, View
from fullscript_pipeline.warehouse.loading.narrower_views import narrowings
from fullscript_pipeline.warehouse.loading.not_found_objects import not_found_twice
from fullscript_pipeline.warehouse.loading.quarantine import QuarantinedRecord, open_by_table, open_records
from fullscript_pipeline.warehouse.loading.quarantine_replay import replay
from fullscript_pipeline.warehouse.loading.reader_views import common_view, join_scopes
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING, Among, rows_between, rows_of
from fullscript_pipeline.warehouse.loading.view_acceptance import Acceptance

__all__ = [
    "EVERYTHING",
    "Acceptance",
    "Among",
    "Context",
    "Counts",
    "QuarantinedRecord",
    "View",
    "common_view",
    "double_versions",
    "drift",
    "join_scopes",
    "load",
    "mass_deletion_guard",
    "narrower_views",
    "narrowings",
    "not_found_objects",
    "not_found_twice",
    "open_by_table",
    "open_records",
    "pull_log",
    "quarantine",
    "reader_views",
    "record_typing",
    "replay",
    "rows_between",
    "rows_of",
    "shared_children",
    "view_acceptance",
]
