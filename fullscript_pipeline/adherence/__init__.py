"""Adherence: dosage text, supply and coverage as pure functions and SQL; no file is opened here."""

from typing import TYPE_CHECKING, Any

from fullscript_pipeline.adherence.dosage import Dosage, parse_dosage
from fullscript_pipeline.adherence.mart import build_adherence, mart_day, recount_statuses, related_patients
from fullscript_pipeline.adherence.unread_dosages import UnreadDosage, UnreadGroup, group_by_reason, unread_dosages

if TYPE_CHECKING:
    from fullscript_pipeline.adherence.frames import measure


def __getattr__(name: str) -> Any:
    # pandas takes a second to import and only notebooks want it: runs and the command line do not wait for it.
    if name == "measure":
        from fullscript_pipeline.adherence.frames import measure  # noqa: PLC0415

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Dosage",
    "UnreadDosage",
    "UnreadGroup",
    "build_adherence",
    "group_by_reason",
    "mart_day",
    "measure",
    "parse_dosage",
    "recount_statuses",
    "related_patients",
    "unread_dosages",
]
