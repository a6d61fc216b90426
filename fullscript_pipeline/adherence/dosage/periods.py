"""How often: times per period, every so many hours or days, and a period alone.

What does not belong here: shares of the days (patterns.py), named times of the day (moments.py), how long (lengths.py).
"""

from dataclasses import replace
from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_ordinal, read_span, read_whole
from fullscript_pipeline.adherence.dosage.facts import ONE, Repeats, Span, Times, UnreadableError

# Days in a period; a month is 30 days by the method.
DAYS = {
    "second": Fraction(1, 86_400),
    "minute": Fraction(1, 1440),
    "hour": Fraction(1, 24),
    "day": Fraction(1),
    "night": Fraction(1),
    "week": Fraction(7),
    "fortnight": Fraction(14),
    "month": Fraction(30),
    "year": Fraction(365),
}
TOO_SHORT = ("second", "minute")


def note_on(period: str) -> str | None:
    """What is taken for granted about a period, in words."""
    return f"a {period} is {DAYS[period]} days" if period in ("month", "year") else None


def read_times(cursor: Cursor) -> Times | Repeats | None:
    """`twice daily`, `3x/day`, `once or twice a week`, `twice every 3 days`, `bid`; without a period, a bare count."""
    first = _simple_times(cursor)
    if not isinstance(first, Times):
        return first
    return cursor.attempt(lambda at: _or_times(at, first)) or first


def _simple_times(cursor: Cursor) -> Times | Repeats | None:
    latin = cursor.word("latin")
    if latin is not None:
        count, period = latin.split("/")
        return _times(Span(low=Fraction(count), high=Fraction(count)), period, ONE)
    glued = cursor.attempt(_glued)
    if glued is not None:
        return glued
    counted = read_count(cursor)
    if counted is None:
        return None
    place = cursor.place
    period_facts = _per(cursor)
    if period_facts is None:
        cursor.place = place
        return Repeats(count=counted)
    return _times(counted, *period_facts)


def read_repeated(cursor: Cursor) -> Times | None:
    """`repeat twice daily`; how often in a longer time would repeat a course."""
    times = read_times(cursor) if cursor.word("repeated") else None
    return times if isinstance(times, Times) and times.period <= 1 else None


def read_doses(cursor: Cursor) -> Times | None:
    """`2 doses per day`, `3 prises par jour`."""
    count = read_whole(cursor)
    if count is None or cursor.word("dose_word") is None:
        return None
    every = _per(cursor)
    return None if every is None else replace(_times(count, *every), counts_doses=True)


def _glued(cursor: Cursor) -> Times | None:
    """`3xday`, `2xj`."""
    count = read_whole(cursor)
    period = cursor.word("times_glued") if count else None
    return None if count is None or period is None else _times(count, period, ONE)


def _or_times(cursor: Cursor, first: Times) -> Times | None:
    """`once daily or twice daily`, `qd-bid`: a range."""
    token = cursor.token
    if cursor.word("or", "to") is None and not (token is not None and token.is_tight and cursor.sign("-")):
        return None
    second = _simple_times(cursor)
    if not isinstance(second, Times):
        return None
    if second.rate.high < first.rate.low or second.period != first.period:
        raise UnreadableError('two frequencies with  "or" between them')
    return Times(rate=Span(low=first.rate.low, high=second.rate.high), period=first.period, note=first.note)


def _times(count: Span, period: str, every: Span) -> Times:
    days = DAYS[period]
    rate = Span(low=count.low / (days * every.high), high=count.high / (days * every.low))
    return Times(rate=rate, period=days * every.high, note=note_on(period))


def read_count(cursor: Cursor) -> Span | None:
    """`once`, `3 times`, `2x`, `x 3`, `once or twice`, `1 to 2 times`."""
    first = cursor.attempt(_simple_count)
    if first is None:
        return None
    place = cursor.place
    joined = cursor.word("or", "to") or cursor.sign("-/")
    second = cursor.attempt(_simple_count) if joined else None
    if second is None or second.high <= first.low:
        cursor.place = place
        return first
    return Span(low=first.low, high=second.high)


def _simple_count(cursor: Cursor) -> Span | None:
    word = cursor.word("times")
    if word is not None:
        return Span(low=Fraction(word), high=Fraction(word))
    if cursor.word("x"):
        return read_span(cursor)
    span = read_span(cursor)
    # "2/3 times" is 2 or 3 times.
    if span is None or span.low.denominator * span.high.denominator != 1 or cursor.word("times_word") is None:
        return None
    return span


def _per(cursor: Cursor) -> tuple[str, Span] | None:
    """The period a count is per: its name, and how many of them."""
    adverb = cursor.word("adverb", "count_period")
    if adverb is not None:
        return adverb, ONE
    return cursor.attempt(read_every_so_many) or cursor.attempt(read_each_period) or cursor.attempt(_alone)


def _alone(cursor: Cursor) -> tuple[str, Span] | None:
    """`twice nightly`, `2x day`: the period right after the count."""
    token, before = cursor.token, cursor.tokens[cursor.place - 1]
    if token is not None and token.text == "nightly":
        cursor.place += 1
        return "day", ONE
    period = cursor.word("period") if before.text in ("x", "fois") else None
    return (period, ONE) if period in ("day", "week", "month") else None


def read_each_period(cursor: Cursor) -> tuple[str, Span] | None:
    if not (cursor.sign("/") or cursor.word("per")):
        return None
    period = cursor.word("period")
    # "every days" has lost its number.
    if period is None or period in TOO_SHORT or cursor.tokens[cursor.place - 1].text == f"{period}s":
        return None
    return period, ONE


def read_every_so_many(cursor: Cursor) -> tuple[str, Span] | None:
    """`every 3 days`, `every other week`, `q8h`, `aux 2 jours`."""
    days = cursor.word("interval")
    if days is not None:
        return "day", Span(low=Fraction(days), high=Fraction(days))
    if cursor.word("on") and (days := cursor.word("interval")) is not None:
        return "day", Span(low=Fraction(days), high=Fraction(days))
    if cursor.word("every") is None:
        return None
    ordinal = cursor.attempt(read_ordinal)
    # "every other morning"
    if ordinal is not None and cursor.word("part"):
        return "day", ordinal
    number = ordinal or read_whole(cursor)
    period = cursor.word("period") or (cursor.word("days_counted") and "day") if number else None
    return None if period is None or number is None or period in TOO_SHORT else (period, number)


def read_interval(cursor: Cursor) -> Times | None:
    """`every 3 days`, `q8h`, `8 hourly`, `alternate days`: once each time."""
    every = cursor.attempt(read_every_so_many) or cursor.attempt(_so_many_hourly)
    if every is None:
        return None
    period, number = every
    times = _times(ONE, period, number)
    is_days = period in ("day", "night") and times.period > 1
    return Times(rate=times.rate, period=times.period, is_interval=is_days, note=times.note)


def _so_many_hourly(cursor: Cursor) -> tuple[str, Span] | None:
    number = read_span(cursor)
    if number is None or number.low.denominator != 1 or cursor.word("adverb") != "hour":
        return None
    return "hour", number


def read_period(cursor: Cursor) -> Times | None:
    """`daily`, `per week`, `/day`: the amount says how often. "2 weekly" has two meanings and is refused."""
    if cursor.word("ambiguous"):
        raise UnreadableError("the frequency has two meanings (twice in a period, or every two)")
    period = cursor.word("adverb")
    every = (period, ONE) if period else cursor.attempt(read_each_period)
    if every is None:
        return None
    times = _times(ONE, *every)
    either = cursor.attempt(lambda at: _or_times(at, times))
    return either or Times(rate=times.rate, period=times.period, is_counted=False, note=times.note)
