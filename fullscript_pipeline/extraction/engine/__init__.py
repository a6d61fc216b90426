"""What every pull shares: lists are read, pages landed, records loaded, and absence concluded."""

from fullscript_pipeline.extraction.engine.absence import (
    answered_by_list,
    ids_listed,
    proven_gone,
    read_awaited,
    read_by_id,
)
from fullscript_pipeline.extraction.engine.access_refusals import listed_or_refused, refused_to_all
from fullscript_pipeline.extraction.engine.detail_fetch import (
    SWEEP_DAYS,
    Detail,
    Rows,
    due_details,
    each_allowed,
    note_reads,
    read_each,
    with_details,
)
from fullscript_pipeline.extraction.engine.list_progress import Listing
from fullscript_pipeline.extraction.engine.pull import Load, Pull, Report, Target, absent
from fullscript_pipeline.extraction.engine.pull_types import in_parallel
from fullscript_pipeline.extraction.engine.resync_metrics import note_sweep_only
from fullscript_pipeline.extraction.engine.view_of_answer import grant_view, session_view

__all__ = [
    "SWEEP_DAYS",
    "Detail",
    "Listing",
    "Load",
    "Pull",
    "Report",
    "Rows",
    "Target",
    "absent",
    "answered_by_list",
    "due_details",
    "each_allowed",
    "grant_view",
    "ids_listed",
    "in_parallel",
    "listed_or_refused",
    "note_reads",
    "note_sweep_only",
    "proven_gone",
    "read_awaited",
    "read_by_id",
    "read_each",
    "refused_to_all",
    "session_view",
    "with_details",
]
