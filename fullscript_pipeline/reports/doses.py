"""The dose of a row in words: `2 capsules per day`, `1 to 2 capsules per day`, `3 capsules in 7 days`.

What does not belong here: parsing a dosage text (`adherence.dosage`).
"""

from fractions import Fraction
from functools import lru_cache

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_queries import PlanRow
from fullscript_pipeline.reports.unit_names import units, units_between


def dose_rates(row: PlanRow) -> list[Fraction]:
    """Units per day, lowest first: two for a range, one if both ends are equal or only one is known."""
    return list(_rates(row.units_per_day_min, row.units_per_day_max))


def dose_words(row: PlanRow, language: PageLanguage) -> str | None:
    """The dose in words, or None if it could not be read."""
    is_open = row.measurable == "open_range"
    return _words(row.units_per_day_min, row.units_per_day_max, row.unit, language, is_open=is_open)


@lru_cache(maxsize=5_000)
def _rates(lowest: str | None, highest: str | None) -> tuple[Fraction, ...]:
    rates = [formatting.rate(lowest), formatting.rate(highest)]
    return tuple(sorted({rate for rate in rates if rate}))


@lru_cache(maxsize=5_000)
def _words(
    lowest: str | None, highest: str | None, unit: str | None, language: PageLanguage, *, is_open: bool
) -> str | None:
    rates = _rates(lowest, highest)
    if not rates:
        return None
    low, high = rates[0], rates[-1]
    if is_open:
        amount = units_between(language, high, high, unit)
        if formatting.rate(highest) is None:
            return language.gettext("at least %(amount)s per day", amount=amount)
        return language.gettext("at most %(amount)s per day", amount=amount)
    if low == high and _is_interval(low):
        amount = units(language, low.numerator, unit)
        return language.gettext(
            "%(amount)s in %(period)s", amount=amount, period=formatting.days(language, low.denominator)
        )
    return language.gettext("%(amount)s per day", amount=units_between(language, low, high, unit))


def _is_interval(rate: Fraction) -> bool:
    """Whether the dose is one of so many days, like `3 in 7 days`, rather than a part of a unit each day."""
    return (rate * 100).denominator != 1 and rate.denominator <= 90
