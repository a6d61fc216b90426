"""How long a recommendation is to be taken, read from its duration text.

Day 1, week 7, month 30, year 365 days (a month is 30 days by the method). What does not belong here: the rate.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fullscript_pipeline.adherence.text import NUMBER, UnreadableError, normalise, read_number

DurationKind = Literal["finite", "ongoing", "unspecified", "as_needed", "unparsable"]

_DAYS = {"day": 1, "week": 7, "fortnight": 14, "month": 30, "year": 365}
_SHORT = {"d": "day", "wk": "week", "w": "week", "mo": "month", "mth": "month", "yr": "year", "y": "year"}
_PERIOD = rf"(?P<unit>{'|'.join([*_DAYS, *_SHORT])})s?"
_FINITE = re.compile(
    rf"(?:(?:for|take for|x|during|over) ?)?(?:the next )?(?P<n>{NUMBER}|an?)[ -]?{_PERIOD}(?: only| total)?"
)
_ONGOING = re.compile(
    r"(?:on-?going|ongoing use|continuous(?:ly)?|continu(?:e|ing)|indefinite(?:ly)?|long[ -]?term|life ?long|for life|"
    r"permanent(?:ly)?|maintenance|until further notice|no end date|always)"
)
_EVENT = re.compile(r"(?:un)?til\b.*|through\b.*")
# More days than any course: a typo, and outside what a calendar can hold.
_LONGEST = 36_500


@dataclass(frozen=True)
class Duration:
    """`days` only when `kind` is finite; `reason` only when it is unparsable."""

    kind: DurationKind
    days: int | None = None
    reason: str | None = None
    assumptions: tuple[str, ...] = ()


def read_duration(text: object) -> Duration:
    """Empty is `unspecified`, "ongoing" is `ongoing`, a whole number of days is `finite`; never raises.

    PRN phrases are the caller's matter: they change the dose, not only the duration.
    """
    try:
        flat = normalise(text)
    except UnreadableError as error:
        return Duration("unparsable", reason=str(error))
    if not flat:
        return Duration("unspecified")
    if _ONGOING.fullmatch(flat):
        return Duration("ongoing")
    if _EVENT.fullmatch(flat):
        return Duration("unparsable", reason="the duration ends at an event, not on a date")
    return _finite(flat)


def _finite(flat: str) -> Duration:
    match = _FINITE.fullmatch(flat)
    if match is None:
        return Duration("unparsable", reason=f"the duration {flat!r} is not a number of days, weeks, months or years")
    unit = _SHORT.get(match["unit"], match["unit"])
    try:
        number = Fraction(1) if match["n"] in ("a", "an") else read_number(match["n"])
    except UnreadableError as error:
        return Duration("unparsable", reason=str(error))
    days = number * _DAYS[unit]
    if days.denominator != 1 or days > _LONGEST:
        return Duration("unparsable", reason=f"the duration {flat!r} is not a believable whole number of days")
    taken = (f"a {unit} is {_DAYS[unit]} days",) if unit in ("month", "year") else ()
    return Duration("finite", int(days), assumptions=taken)
