"""Formats days, shares, quantities and free text, the same way on every page.

What does not belong here: the words for a status (status_texts.py) and HTML (templates/).
"""

import re
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports.language import PageLanguage

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DASH = "–"
LIMITS = (
    "Based on Fullscript orders only. Buying does not show taking; purchases elsewhere, samples and shared bottles are "
    "not seen, so every share is a lower estimate."
)

# Control characters, and the bidi embeddings, overrides and isolates that can make one text pose as another. Emoji
# joiners and the plain left/right marks of names stay.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def days(language: PageLanguage, number: float) -> str:
    """`1 day`, `22.5 days`, `1,5 jour`."""
    return language.ngettext("%(num)s day", "%(num)s days", number)


def clean(text: str) -> str:
    """Free text without control characters and without characters that reorder the text around them."""
    return _UNSAFE.sub("", text)


def shorten(text: str, length: int) -> str:
    """At most `length` characters, with an ellipsis if the text was cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def day(value: date | None) -> str:
    """`22 Nov 2026`, the same in every locale; an em dash for None."""
    return "—" if value is None else f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def moment(instant: datetime, zone: ZoneInfo) -> str:
    """`22 Nov 2026, 14:05 America/Toronto`: absolute, with its time zone."""
    local = instant.astimezone(zone)
    return f"{day(local.date())}, {local:%H:%M} {zone.key}"


def window(start: date, end: date) -> str:
    """The half-open window [start, end) for readers: its first and last day, and its length in days."""
    last = end - timedelta(days=1)
    length = counted((end - start).days, "day")
    if last <= start:
        return f"{day(start)}, {length}"
    first = f"{start.day} {MONTHS[start.month - 1]}" if start.year == last.year else day(start)
    return f"{first} {DASH} {day(last)}, {length}"


def percent(share: float) -> int:
    """Whole percent, rounded down and never above 100: 0.7975 is not 80 %, 0.999 is not 100 %."""
    return max(0, min(100, int(share * 100 + 1e-9)))


def share(low: float | None, high: float | None) -> str | None:
    """`93 %`, `62-93 %` (a range of doses), `at least 62 %` (only a lower bound), or None if not measured."""
    if low is None:
        return None
    if high is None:
        return f"at least {percent(low)} %"
    if percent(low) != percent(high):
        return f"{percent(low)}{DASH}{percent(high)} %"
    return "less than 1 %" if 0 < high < 0.01 else f"{percent(low)} %"


def number(amount: float | Fraction) -> str:
    """At most two decimals, none for a whole number: `90`, `22.5`, `0.29`."""
    text = f"{float(amount):,.2f}"
    return text.rstrip("0").rstrip(".")


def rate(text: str | None) -> Fraction | None:
    """Units per day, parsed from the mart's exact fraction text (`3/2`); None if there is none."""
    try:
        fraction = Fraction(text) if text else None
    except (ValueError, ZeroDivisionError):
        return None
    return fraction if fraction and fraction > 0 else None


def exact(fraction: Fraction) -> str:
    """A fraction for readers: `2`, `1.5`, and `2/7` where two decimals are not exact."""
    return number(fraction) if (fraction * 100).denominator == 1 else f"{fraction.numerator}/{fraction.denominator}"


def units(amount: float | Fraction, unit: str | None) -> str:
    """`180 capsules`, or `2 units` if the unit is not known."""
    name = unit or "unit"
    countable = name.isalpha() and name.lower() not in {"ml", "g", "mg", "l", "oz", "tsp", "tbsp"}
    return f"{number(amount)} {name}{'' if amount == 1 or not countable or name.endswith('s') else 's'}"
