"""The thresholds of a report, printed on every page: the method's policy and the limits of the layout.

What does not belong here: applying the thresholds, and reading them from the environment (`settings`).
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

from fullscript_pipeline.settings import AdherencePolicy


@dataclass(frozen=True)
class ReportPolicy(AdherencePolicy):
    """The policy behind the figures, and the limits of the pages.

    The 80 % line is a convention for prescription drugs (PQA, CMS); supplements have no validated one.
    """

    extra_supply_days: int = 120
    stale_after: timedelta = timedelta(hours=24)
    patients_per_page: int = 500
    calls_per_page: int = 300
    timeline_marks: int = 60

    @classmethod
    def of(cls, policy: AdherencePolicy) -> "ReportPolicy":
        """The policy behind the figures, with the default limits of the layout."""
        return cls(**asdict(policy))

    @property
    def line(self) -> str:
        """`80 %`."""
        return f"{float(self.threshold * 100):g} %"

    def sentence(self) -> str:
        """One line for readers, with every setting that influences a figure or a word of the page."""
        return (
            f"Settings: line {self.line} of days covered; due soon within {self.due_soon_days} days; "
            f"late from {self.late_days} days and long gap from {self.long_gap_days} days after supply ran out; "
            f"not ordered from {self.never_ordered_days} days after the plan started; "
            f"a gap over {self.permissible_gap_days} days ends a stretch of supply; "
            f"an order counts from {self._delivery}; a window under {self.minimum_window_days} days is short; "
            f"extra supply beyond {self.extra_supply_days} days on hand."
        )

    @property
    def _delivery(self) -> str:
        lag = self.delivery_lag_days
        return f"{lag} day{'' if lag == 1 else 's'} after it" if lag else "its own day"
