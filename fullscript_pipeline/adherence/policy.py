"""The thresholds of the adherence method, each with its default; every one is printed on the report.

What does not belong here: how they are read from the environment (settings.py) and what they are applied to (sql/).
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Policy:
    """Days are whole days; `threshold` is the exact share of days covered that counts as adherent (PQA/CMS: 80 %)."""

    threshold: Fraction = Fraction(4, 5)
    # A gap exactly this long does not end an episode (OMOP drug era, AdhereR compute.treatment.episodes).
    permissible_gap_days: int = 30
    # PQA primary medication non-adherence: not obtained within 30 days.
    never_ordered_days: int = 30
    # Days from an order to the day its supply can be used; orders carry only the day they were completed.
    delivery_lag_days: int = 0
    minimum_window_days: int = 30
    due_soon_days: int = 7
    late_days: int = 7
    long_gap_days: int = 30
