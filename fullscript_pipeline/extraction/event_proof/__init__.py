"""What an event says, and what proves that it was handled."""

from fullscript_pipeline.extraction.event_proof.event_objects import fill_objects, note_objects
from fullscript_pipeline.extraction.event_proof.event_outcomes import close_answered, note_outcomes, note_pull
from fullscript_pipeline.extraction.event_proof.event_parsing import (
    OBJECTS,
    VARIANT,
    SeenEvent,
    begins,
    event_of,
    ledger_line,
    moment_of,
    names_what_cannot_be_asked,
    resource_of,
    values_in,
)
from fullscript_pipeline.extraction.event_proof.feed_positions import REACH, FeedPosition

__all__ = [
    "OBJECTS",
    "REACH",
    "VARIANT",
    "FeedPosition",
    "SeenEvent",
    "begins",
    "close_answered",
    "event_of",
    "fill_objects",
    "ledger_line",
    "moment_of",
    "names_what_cannot_be_asked",
    "note_objects",
    "note_outcomes",
    "note_pull",
    "resource_of",
    "values_in",
]
