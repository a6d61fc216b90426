"""How long: days, weeks, months, ongoing, or until something whose day is not known.

Day 1, week 7, month 30, year 365 days (a month is 30 days by the method); of a range the longer end. What does not
belong here: cycles and days of a period (periods.py), which change the rate.
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import Length, Span
from fullscript_pipeline.adherence.dosage.periods import DAYS, note_on

# More days than any course: a typo, and outside what a calendar can hold.
_LONGEST = 36_500
_PERIODS = ("day", "night", "week", "fortnight", "month", "year")


def read_length(cursor: Cursor) -> Length | None:
    """`for 10 days`, `x 2 weeks`, `1-2 weeks`, `3 months then stop`, `ongoing`."""
    if cursor.word("ongoing"):
        return Length(kind="ongoing")
    cursor.word("for")
    cursor.word("next")
    cursor.word("for")
    is_vague = cursor.word("vague") is not None
    number = Span(low=Fraction(1), high=Fraction(1)) if is_vague else read_span(cursor)
    if number is None and cursor.word("article"):
        number = Span(low=Fraction(1), high=Fraction(1))
    period = cursor.word("period") if number else None
    if number is None or period not in _PERIODS:
        return None
    # "2/3 months" is two or three, "half a month" a half.
    is_roughly = number.low < 1 and (number.low != Fraction(1, 2) or cursor.tokens[cursor.place - 1].text[-1] == "s")
    if is_roughly and DAYS[period] == 1:
        return None
    minimum = cursor.attempt(_at_least)
    if not minimum:
        cursor.attempt(_tail)
    if is_vague or minimum or is_roughly:
        return Length(kind="unparsable", reason="the length is given only roughly")
    return _in_days(number.high * DAYS[period], period)


def _in_days(days: Fraction, period: str) -> Length:
    if days.denominator != 1 or days > _LONGEST:
        return Length(kind="unparsable", reason="the length is no believable whole number of days")
    return Length(kind="finite", days=int(days), note=note_on(period))


def _tail(cursor: Cursor) -> str | None:
    cursor.sign(",;.-")
    return cursor.word("length_tail")


def _at_least(cursor: Cursor) -> str | None:
    cursor.sign(",(")
    tail = cursor.word("minimum_tail")
    cursor.sign(")")
    return tail


def read_end(cursor: Cursor) -> Length | None:
    """`until next appointment`, `throughout pregnancy`: an end on a day that is not known."""
    place = cursor.place
    if not (cursor.word("until") and cursor.word("until_event")):
        cursor.place = place
        if not (cursor.word("throughout") and cursor.word("stage")):
            return None
    return Length(kind="unparsable", reason="it ends at an event, not on a date")


def read_review(cursor: Cursor) -> Length | None:
    """`then reassess`, `follow up in 6 weeks`: what comes then is not known."""
    cursor.word("then")
    if cursor.word("review") is None:
        return None
    cursor.attempt(_after_a_time)
    return Length(kind="unparsable", reason="what comes after the review is not said")


def _after_a_time(cursor: Cursor) -> str | None:
    cursor.word("in", "time_before", "per", "clock")
    return cursor.word("period") if read_span(cursor) else None
