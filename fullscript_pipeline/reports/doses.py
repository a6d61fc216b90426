"""The dose of a row in words: `2 capsules per day`, `1 to 2 capsules per day`, `3 capsules in 7 days`.

What does not belong here: parsing a dosage text (`adherence.dosage`).
"""

from fractions import Fraction

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_queries import PlanRow
from fullscript_pipeline.reports.unit_names import units, units_between


def dose_rates(row: PlanRow) -> list[Fraction]:
    """Units per day, lowest first: two for a range, one if both ends are equal or only one is known."""
    rates = [formatting.rate(row.units_per_day_min), formatting.rate(row.units_per_day_max)]
    return sorted({rate for rate in rates if rate})


def dose_words(row: PlanRow, language: PageLanguage) -> str | None:
    """The dose in words, or None if it could not be read."""
    rates = dose_rates(row)
    if not rates:
        return None
    low, high = rates[0], rates[-1]
    if row.measurable == "open_range":
        amount = units_between(language, high, high, row.unit)
        if formatting.rate(row.units_per_day_max) is None:
            return language.gettext("at least %(amount)s per day", amount=amount)
        return language.gettext("at most %(amount)s per day", amount=amount)
    if low == high and _is_interval(low):
        amount = units(language, low.numerator, row.unit)
        return language.gettext(
            "%(amount)s in %(period)s", amount=amount, period=formatting.days(language, low.denominator)
        )
    return language.gettext("%(amount)s per day", amount=units_between(language, low, high, row.unit))


def _is_interval(rate: Fraction) -> bool:
    """Whether the dose is one of so many days, like `3 in 7 days`, rather than a part of a unit each day."""
    return (rate * 100).denominator != 1 and rate.denominator <= 90
