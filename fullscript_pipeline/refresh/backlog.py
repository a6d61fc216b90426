"""Events of a clinic that wait for their object, or whose object the server refuses: for `doctor` and the check.

What does not belong here: when they are retried (`state.event_tries`), fetching the objects (`event_handling`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import Clinic, EventBacklog, StateStore

# The retries after 1, 5 and 30 minutes are over by then.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class UnhandledEvents:
    """The unhandled events of a clinic. `needs_attention`: the retries are over, or the server refuses the object."""

    clinic_key: str
    backlog: EventBacklog
    needs_attention: bool

    @property
    def sentence(self) -> str:
        """Says how many events wait, since when and why, and what to do."""
        parts = []
        if self.backlog.waiting and self.backlog.since is not None:
            parts.append(
                f"{counted(self.backlog.waiting, 'event')} since {self.backlog.since:%Y-%m-%d %H:%M} UTC: the object "
                "could not be read yet. The next daily pull tries again; `fullscript-pipeline refresh` tries at once."
            )
        for reason, number in (self.backlog.reasons or {}).items():
            parts.append(
                f"{counted(number, 'event')} cannot be read: {reason}. Add what the app or its user lacks, then run "
                "`fullscript-pipeline connect`: they are tried again."
            )
        return " ".join(parts)


def unhandled_events(store: StateStore, clinic: Clinic) -> UnhandledEvents | None:
    """Returns the events that wait or cannot be read; None when there are none."""
    backlog = store.tries.backlog(clinic)
    if not backlog.waiting and not backlog.unreadable:
        return None
    is_late = backlog.since is not None and _is_past(backlog.since)
    return UnhandledEvents(
        clinic_key=clinic.clinic_key, backlog=backlog, needs_attention=bool(backlog.unreadable) or is_late
    )


def _is_past(since: datetime) -> bool:
    return clock.now() - since > PATIENCE
