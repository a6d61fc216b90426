"""Formats days, shares, quantities and free text, the same way on every page.

What does not belong here: the words for a status (status_texts.py), names of units (unit_names.py), HTML (templates/).
"""

import re
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache

from fullscript_pipeline.reports.language import PageLanguage, translatable

LIMITS = translatable(
    "Based on Fullscript orders only. Buying does not show taking; purchases elsewhere, samples and shared bottles are "
    "not seen, so every share is a lower estimate."
)

# Control characters, and the bidi embeddings, overrides and isolates that can make one text pose as another. Emoji
# joiners and the plain left/right marks of names stay.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """Free text without control characters and without characters that reorder the text around them."""
    # Every unsafe character is one that Python does not print, which is much faster to find out.
    return text if text.isprintable() else _UNSAFE.sub("", text)


def shorten(text: str, length: int) -> str:
    """At most `length` characters, with an ellipsis if the text was cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


@lru_cache(maxsize=5_000)
def days(language: PageLanguage, number: float | Fraction) -> str:
    """`1 day`, `22.5 days`, `1,5 jour`."""
    return language.ngettext("%(num)s day", "%(num)s days", float(number))


def days_between(language: PageLanguage, low: Fraction, high: Fraction) -> str:
    """`90 days`, `90 to 180 days`."""
    number = between(language, language.number(low), language.number(high))
    return language.ngettext("%(num)s day", "%(num)s days", float(high), num=number)


@lru_cache(maxsize=5_000)
def window(language: PageLanguage, start: date, end: date) -> str:
    """The half-open window [start, end) for readers: its first and last day, and its length in days."""
    last = end - timedelta(days=1)
    length = days(language, (end - start).days)
    if last <= start:
        return language.gettext("%(day)s, %(length)s", day=language.day(start), length=length)
    first = language.day_of_year(start) if start.year == last.year else language.day(start)
    return language.gettext("%(first)s – %(last)s, %(length)s", first=first, last=language.day(last), length=length)


def percent(share: float) -> int:
    """Whole percent, rounded down and never above 100: 0.7975 is not 80 %, 0.999 is not 100 %."""
    return max(0, min(100, int(share * 100 + 1e-9)))


def share(language: PageLanguage, low: float | None, high: float | None) -> str | None:
    """`93 %`, `62–93 %` (a range of doses), `at least 62 %` or `at most 62 %` (one bound), or None if not measured."""
    if low is None and high is None:
        return None
    if high is None:
        return language.gettext("at least %(share)s %%", share=percent(low or 0.0))
    if low is None:
        return language.gettext("at most %(share)s %%", share=percent(high))
    if percent(low) != percent(high):
        return language.gettext("%(low)s–%(high)s %%", low=percent(low), high=percent(high))
    if 0 < high < 0.01:
        return language.gettext("less than 1 %%")
    return language.gettext("%(share)s %%", share=percent(low))


def between(language: PageLanguage, low: str, high: str) -> str:
    """`1 to 2`, or `2` if both ends read the same."""
    return low if low == high else language.gettext("%(low)s to %(high)s", low=low, high=high)


@lru_cache(maxsize=2_000)
def rate(text: str | None) -> Fraction | None:
    """Units per day, parsed from the mart's exact fraction text (`3/2`); None if there is none."""
    try:
        fraction = Fraction(text) if text else None
    except (ValueError, ZeroDivisionError):
        return None
    return fraction if fraction and fraction > 0 else None


@lru_cache(maxsize=2_000)
def exact(language: PageLanguage, fraction: Fraction) -> str:
    """A fraction for readers: `2`, `1.5`, and `2/7` where two decimals are not exact."""
    if (fraction * 100).denominator == 1:
        return language.number(fraction)
    return f"{fraction.numerator}/{fraction.denominator}"
