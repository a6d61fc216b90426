"""The outcome of each event, kept beside the data that answers it."""

from fullscript_pipeline.warehouse.event_log import event_proof
from fullscript_pipeline.warehouse.event_log.event_history import (
    answer_by_earlier_reads,
    answer_unnamed,
    refuse_unavailable,
)
from fullscript_pipeline.warehouse.event_log.event_proof import READABLE_AFTER, answered_by_count, awaited_objects
from fullscript_pipeline.warehouse.event_log.event_tries import (
    EventTry,
    StoredOutcome,
    stored_outcomes,
    write_event_tries,
)

__all__ = [
    "READABLE_AFTER",
    "EventTry",
    "StoredOutcome",
    "answer_by_earlier_reads",
    "answer_unnamed",
    "answered_by_count",
    "awaited_objects",
    "event_proof",
    "refuse_unavailable",
    "stored_outcomes",
    "write_event_tries",
]
