"""The thresholds a report is written with: settings with defaults, printed on every page they shape.

What does not belong here: thresholds that change a figure (permissible gap, delivery lag); those are the adherence
engine's policy. These only choose words, order and layout.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ReportPolicy:
    """Days and shares that turn a status into words. `threshold` is a share of days (0.8 = 80 %).

    The 80 % line is a convention for prescription drugs (PQA, CMS); supplements have no validated one.
    """

    threshold: float = 0.8
    due_soon_days: int = 7
    late_days: int = 7
    long_gap_days: int = 30
    never_ordered_days: int = 30
    extra_supply_days: int = 120
    stale_after: timedelta = timedelta(hours=24)
    patients_per_page: int = 500
    timeline_marks: int = 60

    def sentence(self) -> str:
        """The settings in one line for the reader of the page."""
        return (
            f"Settings: line {self.threshold * 100:.0f} % of days covered; due soon within {self.due_soon_days} days; "
            f"late from {self.late_days} days and long gap from {self.long_gap_days} days after supply ran out; "
            f"not ordered from {self.never_ordered_days} days after the plan started; "
            f"extra supply beyond {self.extra_supply_days} days on hand."
        )
