"""Which clinics' events wait for their object, or are about one that the server refuses: for `doctor` and the check.

What does not belong here: when they are tried again (`state.event_tries`), reading them (`event_handling`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import Clinic, EventBacklog, StateStore

# The tries after 1, 5 and 30 minutes are over by then.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class UnhandledEvents:
    """What of a clinic's events is not handled; `needs_attention` when it has waited longer than the tries take."""

    clinic_key: str
    backlog: EventBacklog
    needs_attention: bool

    @property
    def sentence(self) -> str:
        """How many, since when and why, and what to do."""
        parts = []
        if self.backlog.waiting and self.backlog.since is not None:
            parts.append(
                f"{counted(self.backlog.waiting, 'event')} since {self.backlog.since:%Y-%m-%d %H:%M} UTC: the object "
                "could not be read yet. The next daily pull tries again; `fullscript-pipeline refresh` does at once."
            )
        for reason, number in (self.backlog.reasons or {}).items():
            parts.append(
                f"{counted(number, 'event')} cannot be read: {reason}. Add what the app or its user lacks, then run "
                "`fullscript-pipeline connect`: they are tried again."
            )
        return " ".join(parts)


def unhandled_events(store: StateStore, clinic: Clinic) -> UnhandledEvents | None:
    """What waits, or is unreadable; None when nothing does."""
    backlog = store.event_backlog(clinic)
    if not backlog.waiting and not backlog.unreadable:
        return None
    is_late = backlog.since is not None and _is_past(backlog.since)
    return UnhandledEvents(clinic.clinic_key, backlog, needs_attention=bool(backlog.unreadable) or is_late)


def _is_past(since: datetime) -> bool:
    return clock.now() - since > PATIENCE
