"""The thresholds of the adherence method as the environment sets them; other modules take them from settings.py.

What does not belong here: what is done with them (`adherence`, `reports`).
"""

from dataclasses import dataclass
from fractions import Fraction

from fullscript_pipeline import environment
from fullscript_pipeline.errors import ConfigurationError


@dataclass(frozen=True)
class AdherencePolicy:
    """The thresholds of the adherence method (docs/adherence-method.md), whole days; all are printed on the pages.

    `threshold` is the exact share of days covered that counts as adherent (PQA, CMS: 80 %).
    """

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


def read_policy() -> AdherencePolicy:
    """Raises ConfigurationError naming the variable whose value cannot be used."""
    usual = AdherencePolicy()
    percent = environment.integer("FULLSCRIPT_ADHERENCE_THRESHOLD_PERCENT", int(usual.threshold * 100), 1, 100)
    policy = AdherencePolicy(
        threshold=Fraction(percent, 100),
        permissible_gap_days=environment.integer(
            "FULLSCRIPT_PERMISSIBLE_GAP_DAYS", usual.permissible_gap_days, 0, 3650
        ),
        never_ordered_days=environment.integer("FULLSCRIPT_NEVER_ORDERED_DAYS", usual.never_ordered_days, 1, 3650),
        delivery_lag_days=environment.integer("FULLSCRIPT_DELIVERY_LAG_DAYS", usual.delivery_lag_days, 0, 90),
        minimum_window_days=environment.integer("FULLSCRIPT_MINIMUM_WINDOW_DAYS", usual.minimum_window_days, 1, 3650),
        due_soon_days=environment.integer("FULLSCRIPT_DUE_SOON_DAYS", usual.due_soon_days, 0, 365),
        late_days=environment.integer("FULLSCRIPT_LATE_DAYS", usual.late_days, 1, 3650),
        long_gap_days=environment.integer("FULLSCRIPT_LONG_GAP_DAYS", usual.long_gap_days, 1, 3650),
    )
    if policy.late_days > policy.long_gap_days:
        raise ConfigurationError(
            f"FULLSCRIPT_LATE_DAYS ({policy.late_days}) lies above FULLSCRIPT_LONG_GAP_DAYS "
            f"({policy.long_gap_days}); a supply is late before its gap is long."
        )
    return policy
