"""Hours of the clock, and what a named or clocked moment of the day is.

What does not belong here: morning, meals and lists of moments (moments.py).
"""

from dataclasses import dataclass, replace

from fullscript_pipeline.adherence.dosage.cursor import Cursor
from fullscript_pipeline.adherence.dosage.quantities import MOST_AT_AM

_END_OF_NIGHT = 4
# The hours of the groups that times of day have: from, and up to.
_HOURS_OF = {
    "morning": (4, 12),
    "mid-morning": (9, 12),
    "noon": (11, 15),
    "afternoon": (12, 19),
    "evening": (16, 24),
    "night": (18, 28),
}
_HOURS = {"h", "heure", "heures", "hre", "hres", "hrs"}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`groups`: the moments it can be; meals have a name for each moment. `distance`: "1 hour before"."""

    name: str
    groups: frozenset[str]
    is_meals: bool = False
    is_clock: bool = False
    is_one_word: bool = False
    distance: str = ""
    has_lead: bool = False
    is_every_day: bool = False


def read_clock(cursor: Cursor) -> Moment | None:
    """`at 8 am`, `at 8:00`, `à 8h`: with "at", because "8 am" may be eight of them in the morning."""
    if cursor.word("clock") or cursor.sign("@"):
        moment = read_bare_clock(cursor)
        return replace(moment, is_one_word=False) if moment is not None else None
    moment = read_bare_clock(cursor) if cursor.word("clock_limit") else None
    # "After 2 h" is a distance.
    is_hour = moment is not None and cursor.tokens[cursor.place - 1].text not in _HOURS
    return moment if is_hour else None


def read_hour_in_one_word(cursor: Cursor) -> Moment | None:
    """`8am`; "2am" may be two of them in the morning, unless another hour stands before."""
    hour = cursor.token
    moment = read_bare_clock(cursor) if hour is not None and hour.text.isdecimal() else None
    is_late = hour is not None and moment is not None and int(hour.text) > MOST_AT_AM
    return moment if moment is not None and moment.is_one_word and is_late else None


def read_bare_clock(cursor: Cursor) -> Moment | None:
    """`8 am`, `8:00`, `20h`, when "at" or another hour stands before."""
    hour = cursor.token
    if hour is None or hour.kind != "number" or not hour.text.isdecimal() or int(hour.text) > 24:
        return None
    cursor.place += 1
    has_minutes = cursor.sign(":") is not None
    if has_minutes:
        minutes = cursor.token
        if minutes is None or not minutes.text.isdecimal() or len(minutes.text) != 2:
            return None
        cursor.place += 1
    half = cursor.word("am_pm") or cursor.word("oclock")
    if not (half or has_minutes):
        return None
    last = cursor.tokens[cursor.place - 1]
    name = f"{hour.text} {last.text}"
    is_one_word = last.is_tight and last.text in ("am", "pm")
    return Moment(name=name, groups=frozenset({name}), is_clock=True, is_one_word=is_one_word)


def may_be_at(clock: Moment, part: Moment) -> bool:
    """Whether "at 9:00" can be "in the evening"; without am or pm it can be either half of the day."""
    hour, half = clock.name.split()
    number = int(hour)
    hours = {number % 12 + (0 if half == "am" else 12)} if half in ("am", "pm") else {number, number + 12}
    # After midnight it is still night.
    hours |= {hour + 24 for hour in hours if hour < _END_OF_NIGHT}
    spans = [_HOURS_OF.get(group, (0, 0)) for group in part.groups]
    return any(start <= hour < end for hour in hours for start, end in spans)
