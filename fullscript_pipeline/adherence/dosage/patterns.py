"""Which days: weekdays, days of a week or month, days on and off. Each is a share of the days.

What does not belong here: how often on such a day (periods.py, moments.py).
"""

from collections.abc import Callable
from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span, read_whole
from fullscript_pipeline.adherence.dosage.facts import Pattern, Span, UnreadableError
from fullscript_pipeline.adherence.dosage.periods import (
    DAYS,
    TOO_SHORT,
    note_on,
    read_each_period,
    read_every_so_many,
)


def read_days_of(cursor: Cursor) -> Pattern | None:
    """`5 days a week`, `for the first 10 days of each month`, `5 jours sur 7`, `1 week out of 4`."""
    cursor.word("for", "on", "only")
    cursor.word("first_of", "next")
    days = read_span(cursor)
    place = cursor.place
    period = cursor.word("period") or cursor.attempt(_mornings) if days else None
    if days is not None and period is None and cursor.word("out_of"):
        # "5 of 7 days"
        number, period = read_whole(cursor), cursor.word("period")
        cursor.place = place if number is not None and period == "day" else cursor.place
    if days is None or period not in ("day", "night", "week"):
        return None
    cycle = cursor.attempt(read_each_period) or cursor.attempt(read_every_so_many) or cursor.attempt(_out_of(period))
    if cycle is None:
        return None
    if days.low.denominator * days.high.denominator != 1:
        raise UnreadableError(f"the fraction {days.low} is doubtful")
    length = DAYS[cycle[0]] * cycle[1].high
    if not cycle[1].is_single or days.high * DAYS[period] > length:
        raise UnreadableError("more days are named than there are in the period")
    share = Span(low=days.low * DAYS[period] / length, high=days.high * DAYS[period] / length)
    # "Every other day" is a dose each time; weeks of a month say nothing about the days in them.
    return Pattern(share=share, period=length, needs_daily=period == "week", note=note_on(cycle[0]))


def _mornings(cursor: Cursor) -> str | None:
    """`3 mornings a week`, `2 soirs par semaine`: so many days, when a longer period follows."""
    if cursor.word("part") is None or not cursor.tokens[cursor.place - 1].text.endswith("s"):
        return None
    place = cursor.place
    cycle = read_each_period(cursor)
    cursor.place = place
    return "day" if cycle is not None and cycle[0] in ("week", "month") else None


def _out_of(period: str) -> "Callable[[Cursor], tuple[str, Span] | None]":
    def read(cursor: Cursor) -> tuple[str, Span] | None:
        is_of = cursor.word("out_of") or (cursor.sign("/") and cursor.token is not None and cursor.token.text == "7")
        number = read_whole(cursor) if is_of else None
        if number is None:
            return None
        return cursor.word("period") or period, number

    return read


def read_cycle(cursor: Cursor) -> Pattern | None:
    """`5 days on, 2 days off`, `3 weeks on/1 week off`. Gives the share of days only."""
    cursor.word("for")
    on = _spell(cursor, "on", None)
    if on is None:
        return None
    cursor.sign(",/;-&")
    cursor.word("and")
    off = _spell(cursor, "off", on[1])
    if off is None:
        return None
    cursor.attempt(_and_again)
    first, second = on[0] * DAYS[on[1]], off[0] * DAYS[off[1]]
    share = first / (first + second)
    return Pattern(share=Span(low=share, high=share), period=first + second, needs_daily=True, note=note_on(on[1]))


def _and_again(cursor: Cursor) -> str | None:
    cursor.sign(",;.")
    return cursor.word("days_on_end")


def _spell(cursor: Cursor, kind: str, default: str | None) -> tuple[Fraction, str] | None:
    number = read_whole(cursor)
    if number is None or not number.is_single:
        return None
    period = cursor.word("period") or default
    if period is None or period in ("hour", *TOO_SHORT) or cursor.word(kind) is None:
        return None
    return number.low, "day" if period == "night" else period


def read_weekdays(cursor: Cursor) -> Pattern | None:
    """`Mon/Wed/Fri`, `Monday to Friday`, `weekends only`, `except Sundays`: each named day once in seven."""
    is_exception = cursor.word("except") is not None
    days = _named_days(cursor)
    if not days:
        return None
    cursor.attempt(lambda at: at.word("only"))
    if len(set(days)) != len(days) or len(days) == 7:
        raise UnreadableError("a day of the week is named twice, or all are")
    number = 7 - len(days) if is_exception else len(days)
    share = Span(low=Fraction(number, 7), high=Fraction(number, 7))
    return Pattern(share=share, period=Fraction(7), names_days=True)


def _named_days(cursor: Cursor) -> list[int]:
    days: list[int] = []
    while True:
        place = cursor.place
        if days:
            cursor.sign(",;")
            cursor.sign("/&+")
            cursor.word("and")
        named_days = _day_item(cursor)
        if not named_days:
            cursor.place = place
            return days
        days += named_days


def _day_item(cursor: Cursor) -> list[int]:
    cursor.word("only")
    cursor.word("on_days")
    several = cursor.word("weekdays") or cursor.attempt(_initials)
    if several is not None:
        return [int(day) for day in several.split()]
    listed = cursor.attempt(_dashed_days)
    if listed is not None:
        return listed
    first = cursor.word("weekday")
    if first is None:
        return []
    place = cursor.place
    joined = cursor.sign("-") or cursor.word("day_range")
    last = cursor.word("weekday") if joined else None
    if last is None:
        cursor.place = place
        return [int(first)]
    if int(last) <= int(first):
        raise UnreadableError("which way round the week is meant is doubtful")
    return list(range(int(first), int(last) + 1))


def _initials(cursor: Cursor) -> str | None:
    """`M-F` is a range and `T/Th` a list; with anything else between the letters it can be either."""
    start = cursor.place
    meaning = cursor.word("initials")
    if meaning is None:
        return None
    *days, joint = meaning.split()
    return " ".join(days) if joint in {token.text for token in cursor.tokens[start : cursor.place]} else None


def _dashed_days(cursor: Cursor) -> list[int] | None:
    """`Mon-Wed-Fri`: a range has two ends, so three days are a list."""
    first = cursor.word("weekday")
    if first is None:
        return None
    days = [int(first)]
    while (day := cursor.attempt(lambda at: at.sign("-") and at.word("weekday"))) is not None:
        days.append(int(day))
    return days if len(days) > 2 else None
