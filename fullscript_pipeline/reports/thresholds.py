"""The thresholds of a report, printed on every page: the method's policy and the limits of the layout.

What does not belong here: applying the thresholds, and reading them from the environment (`settings`).
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache

from fullscript_pipeline.reports.formatting import days
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.settings import AdherencePolicy


@dataclass(frozen=True, kw_only=True)
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

    def line(self, language: PageLanguage) -> str:
        """`80 %`."""
        return _line(self.threshold, language)

    def sentence(self, language: PageLanguage) -> str:
        """One line for readers, with every setting that influences a figure or a word of the page."""
        return _sentence(self, language)


@cache
def _line(threshold: float, language: PageLanguage) -> str:
    return language.gettext("%(share)s %%", share=language.number(threshold * 100))


@cache
def _sentence(policy: ReportPolicy, language: PageLanguage) -> str:
    lag = policy.delivery_lag_days
    return language.gettext(
        "Settings: line %(line)s of days covered; due soon within %(due_soon)s; "
        "late from %(late)s and long gap from %(long_gap)s after supply ran out; "
        "not ordered from %(never_ordered)s after the plan started; "
        "a gap over %(permissible_gap)s ends a stretch of supply; "
        "an order counts from %(delivery)s; a window under %(minimum_window)s is short; "
        "extra supply beyond %(extra_supply)s on hand.",
        line=policy.line(language),
        delivery=language.ngettext("%(num)s day after it", "%(num)s days after it", lag)
        if lag
        else language.gettext("its own day"),
        due_soon=days(language, policy.due_soon_days),
        late=days(language, policy.late_days),
        long_gap=days(language, policy.long_gap_days),
        never_ordered=days(language, policy.never_ordered_days),
        permissible_gap=days(language, policy.permissible_gap_days),
        minimum_window=days(language, policy.minimum_window_days),
        extra_supply=days(language, policy.extra_supply_days),
    )
