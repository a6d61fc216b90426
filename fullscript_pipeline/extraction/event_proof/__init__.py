"""Parses events, and records what proves that they were handled."""

from fullscript_pipeline.extraction.event_proof.event_objects import fill_event_objects, store_event_objects
from fullscript_pipeline.extraction.event_proof.event_outcomes import (
    close_answered_events,
    record_outcomes,
    record_pull_outcomes,
)
from fullscript_pipeline.extraction.event_proof.event_parsing import (
    OBJECTS,
    VARIANT,
    SeenEvent,
    event_time,
    has_unusable_object_id,
    iter_values,
    line_from_ledger,
    object_id_in,
    parse_event,
    type_prefix,
)
from fullscript_pipeline.extraction.event_proof.feed_positions import REACH, FeedPosition

__all__ = [
    "OBJECTS",
    "REACH",
    "VARIANT",
    "FeedPosition",
    "SeenEvent",
    "close_answered_events",
    "event_time",
    "fill_event_objects",
    "has_unusable_object_id",
    "iter_values",
    "line_from_ledger",
    "object_id_in",
    "parse_event",
    "record_outcomes",
    "record_pull_outcomes",
    "store_event_objects",
    "type_prefix",
]
