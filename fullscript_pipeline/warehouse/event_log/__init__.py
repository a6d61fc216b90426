"""The outcome of each event, kept beside the data that answers it."""

from fullscript_pipeline.warehouse.event_log import event_proof
from fullscript_pipeline.warehouse.event_log.event_history import (
    answer_by_earlier_looks,
    answer_unnamed,
    refuse_unavailable,
)
from fullscript_pipeline.warehouse.event_log.event_proof import READABLE_AFTER, answered_by_number, awaited_objects
from fullscript_pipeline.warehouse.event_log.event_tries import Answer, Try, answers, note_tries

__all__ = [
    "READABLE_AFTER",
    "Answer",
    "Try",
    "answer_by_earlier_looks",
    "answer_unnamed",
    "answered_by_number",
    "answers",
    "awaited_objects",
    "event_proof",
    "note_tries",
    "refuse_unavailable",
]
