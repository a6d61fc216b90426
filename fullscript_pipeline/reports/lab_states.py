"""The words for the state of a lab order: recommended, bought, waiting, results ready. Never a result itself.

The states are those of the vendor's REST API; an unknown state is shown as it is. What does not belong here: reading
lab orders.
"""

from dataclasses import dataclass
from datetime import date

from fullscript_pipeline.reports.page_queries import LabRow

_WORDS: dict[str, tuple[int, str]] = {
    "interpretation_ready": (0, "Results ready, interpretation not shared yet"),
    "results_amended": (1, "Results amended"),
    "results_ready": (2, "Results ready"),
    "partial_results": (3, "Some results ready"),
    "not_purchased": (4, "Recommended, not bought"),
    "schedule_appointment": (5, "Bought, appointment to be made"),
    "upcoming_appointment": (6, "Appointment made"),
    "purchased": (7, "Bought, waiting"),
    "processing": (8, "Sample at the laboratory"),
    "interpretation_shared": (9, "Interpretation shared"),
}


@dataclass(frozen=True, slots=True)
class LabLine:
    """A line of the labs block; `since` is the day this state was first seen."""

    name: str
    words: str
    since: date | None


def lab_lines(rows: list[LabRow]) -> list[LabLine]:
    """The labs that need action first (results, then those that wait for the patient), newest first within a state."""
    ordered = sorted(rows, key=lambda row: _WORDS.get(row.state or "", (10, ""))[0])
    return [LabLine(row.name or "Unnamed lab order", words(row), row.since) for row in ordered]


def words(lab: LabRow) -> str:
    """The state in words."""
    known = _WORDS.get(lab.state or "")
    return known[1] if known else f"State as Fullscript gives it: {lab.state_raw or lab.state or 'none'}"
