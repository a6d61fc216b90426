"""What every pull shares: fetching lists, landing pages, loading records, and concluding absence."""

from fullscript_pipeline.extraction.engine.absence import (
    confirm_gone,
    events_answered_by_list,
    fetch_awaited,
    fetch_by_id,
    fetch_listed_ids,
)
from fullscript_pipeline.extraction.engine.access_refusals import (
    fetch_from_first_permitted,
    fetch_list_or_refusal,
    record_refusal_by_all,
)
from fullscript_pipeline.extraction.engine.answer_origin import grant_view, session_view
from fullscript_pipeline.extraction.engine.detail_fetch import (
    SWEEP_DAYS,
    CompletedRows,
    DetailSource,
    complete_from_details,
    fetch_allowed,
    fetch_each,
    ids_due_for_refetch,
    record_detail_reads,
)
from fullscript_pipeline.extraction.engine.list_progress import FetchedList
from fullscript_pipeline.extraction.engine.pull import Pull
from fullscript_pipeline.extraction.engine.pull_types import Load, Report, Target, in_parallel
from fullscript_pipeline.extraction.engine.shared_claim import SharedPulls, share_pulls

__all__ = [
    "SWEEP_DAYS",
    "CompletedRows",
    "DetailSource",
    "FetchedList",
    "Load",
    "Pull",
    "Report",
    "SharedPulls",
    "Target",
    "complete_from_details",
    "confirm_gone",
    "events_answered_by_list",
    "fetch_allowed",
    "fetch_awaited",
    "fetch_by_id",
    "fetch_each",
    "fetch_from_first_permitted",
    "fetch_list_or_refusal",
    "fetch_listed_ids",
    "grant_view",
    "ids_due_for_refetch",
    "in_parallel",
    "record_detail_reads",
    "record_refusal_by_all",
    "session_view",
    "share_pulls",
]
