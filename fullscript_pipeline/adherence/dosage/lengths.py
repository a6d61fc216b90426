"""How long: days, weeks, months, ongoing, or until something whose day is not known.

Day 1, week 7, month 30, year 365 days (a month is 30 days by the method); of a range the longer end. What does not
belong here: cycles and days of a period (periods.py), which change the rate.
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span, read_whole
from fullscript_pipeline.adherence.dosage.facts import ONE, Length, Span
from fullscript_pipeline.adherence.dosage.periods import DAYS, note_on, read_each_period, read_every_so_many
from fullscript_pipeline.adherence.dosage.quantities import read_and_a_half

# More days than any course: a typo, and outside what a calendar can hold.
_LONGEST = 36_500
_PERIODS = ("day", "night", "week", "fortnight", "month", "year")


def read_length(cursor: Cursor) -> Length | None:
    """`for 10 days`, `x 2 weeks`, `1-2 weeks`, `a month and a half`, `3 months then stop`, `ongoing`."""
    if cursor.word("ongoing"):
        return Length(kind="ongoing")
    is_named = cursor.word("for") is not None
    cursor.sign(":")
    is_next = is_named and cursor.word("next") is not None
    is_next or cursor.word("next")
    cursor.word("for")
    is_vague = cursor.word("vague") is not None
    is_roughly = cursor.word("approximately") is not None or cursor.sign("~") is not None
    number = ONE if is_vague else read_span(cursor) or (cursor.word("article") and ONE)
    # "For the first month".
    number = number or (ONE if is_next else None)
    is_more = number is not None and cursor.sign("+") is not None
    cursor.word("whole_period")
    # "X 10 soirs": so many days, when it is said that they are how long.
    period = (cursor.word("period") or (is_named and cursor.word("days_counted") and "day")) if number else None
    if not isinstance(number, Span) or period not in _PERIODS:
        return None
    is_fraction = _may_be_range(number, cursor.tokens[cursor.place - 1].text)
    if is_fraction and DAYS[period] == 1:
        return None
    half = cursor.attempt(read_and_a_half) or Fraction(0)
    minimum = cursor.attempt(_at_least) or cursor.sign("+")
    if not minimum:
        while cursor.attempt(_tail):
            pass
    if cursor.attempt(lambda at: _of_a_longer(at, period)):
        return None
    is_rough = any((is_vague, is_roughly, minimum, is_fraction, is_more))
    return _supplied(cursor) or _in_days((number.high + half) * DAYS[period], period, is_rough=is_rough)


def _supplied(cursor: Cursor) -> Length | None:
    """What packs behind the days say: nothing more in a bracket, but refills say that the days are not all."""
    cursor.attempt(_packs_in_brackets)
    if cursor.attempt(_refills) is None:
        return None
    return Length(kind="unparsable", reason="it is a supply, not a length")


def _packs_in_brackets(cursor: Cursor) -> str | None:
    """`(3 bottles)`, behind the days that they last."""
    is_packs = cursor.sign("(") and read_whole(cursor) and cursor.word("container")
    return cursor.sign(")") if is_packs else None


def _refills(cursor: Cursor) -> str | None:
    """`, 2 refills`: how long they last is not said."""
    cursor.sign(",;+")
    cursor.word("together", "and")
    return cursor.word("refills") if read_whole(cursor) else None


def _of_a_longer(cursor: Cursor, period: str) -> bool | None:
    """`a few days | a week`: days of a week are no length; patterns.py reads those that have a number."""
    cycle = cursor.attempt(read_each_period) or cursor.attempt(read_every_so_many)
    return True if cycle is not None and DAYS[cycle[0]] > DAYS[period] else None


def _may_be_range(number: Span, period: str) -> bool:
    """ "2/3 months" and "1/2 months" are ranges; "half a month" is a half."""
    return number.low < 1 and (number.low != Fraction(1, 2) or period.endswith("s"))


def _in_days(days: Fraction, period: str, *, is_rough: bool) -> Length:
    if is_rough:
        return Length(kind="unparsable", reason="the length is given only roughly")
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
    """`until next appointment`, `throughout pregnancy`, `until March 31`: an end on a day that is not known."""
    if cursor.word("finish") or cursor.attempt(lambda at: at.word("throughout") and at.word("stage")):
        return Length(kind="unparsable", reason="it ends at an event, not on a date")
    if cursor.attempt(_packs):
        return Length(kind="unparsable", reason="it is a supply, not a length")
    if cursor.word("until") is None:
        return None
    if cursor.word("until_event"):
        cursor.attempt(lambda at: at.word("review_when") and _date(at))
        cursor.attempt(_tail)
        return Length(kind="unparsable", reason="it ends at an event, not on a date")
    return Length(kind="unparsable", reason="it ends on a date") if cursor.attempt(_date) else None


def _packs(cursor: Cursor) -> str | None:
    """`x 1 bottle`, `pour 2 pots`."""
    return cursor.word("container") if cursor.word("for") and read_whole(cursor) else None


def _date(cursor: Cursor) -> bool | None:
    """`March`, `the 31st of March 2027`, `31 mars`, `12/31/2026`: a day or a month of the calendar."""
    start = cursor.place
    named = False
    while (token := cursor.token) is not None:
        if cursor.word("month_name"):
            named = True
        elif token.kind == "number" or (token.is_tight and token.text in "/-."):
            cursor.place += 1
        else:
            break
    numbers = sum(token.kind == "number" for token in cursor.tokens[start : cursor.place])
    return True if named or numbers == 3 else None


def read_review(cursor: Cursor) -> Length | None:
    """`then reassess`, `follow up in 6 weeks`: what comes then is not known."""
    cursor.word("then")
    if cursor.word("review") is None:
        return None
    cursor.word("review_what", "nutrient", "companion")
    cursor.attempt(_after_a_time)
    return Length(kind="unparsable", reason="what comes after the review is not said")


def _after_a_time(cursor: Cursor) -> str | None:
    cursor.word("in", "time_before", "per", "clock", "review_when")
    return cursor.word("period") if read_span(cursor) else cursor.word("until_event")
