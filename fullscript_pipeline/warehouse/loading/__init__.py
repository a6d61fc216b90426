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
from fullscript_pipeline.warehouse.loading.not_found_objects import denied_twice
from fullscript_pipeline.warehouse.loading.quarantine import Held, held, open_by_table
from fullscript_pipeline.warehouse.loading.quarantine_replay import replay
from fullscript_pipeline.warehouse.loading.reader_views import common_view, written
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING, Among, rows_between, rows_of
from fullscript_pipeline.warehouse.loading.view_acceptance import Acceptance

__all__ = [
    "EVERYTHING",
    "Acceptance",
    "Among",
    "Context",
    "Counts",
    "Held",
    "View",
    "common_view",
    "denied_twice",
    "double_versions",
    "drift",
    "held",
    "load",
    "mass_deletion_guard",
    "narrower_views",
    "narrowings",
    "not_found_objects",
    "open_by_table",
    "pull_log",
    "quarantine",
    "reader_views",
    "record_typing",
    "replay",
    "rows_between",
    "rows_of",
    "shared_children",
    "view_acceptance",
    "written",
]
