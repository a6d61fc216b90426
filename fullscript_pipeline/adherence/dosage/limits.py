"""Limits, totals and divided doses: "up to 3 per day", "(total 4 per day)", "in two divided doses".

What does not belong here: plain amounts (quantities.py), what a limit means beside a dose (meaning.py, bounds.py).
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span, read_whole
from fullscript_pipeline.adherence.dosage.facts import (
    ONE,
    Bound,
    Divided,
    EachDose,
    Facts,
    Length,
    Limit,
    Neutral,
    Quantity,
    Span,
    Times,
    Total,
    UnreadableError,
)
from fullscript_pipeline.adherence.dosage.periods import (
    read_count,
    read_each_period,
    read_every_so_many,
    read_interval,
    read_period,
)
from fullscript_pipeline.adherence.dosage.quantities import read_counted, read_quantity
from fullscript_pipeline.adherence.dosage.unit_words import is_strength


def read_limit(cursor: Cursor) -> Limit | Length | None:
    """`up to 3 capsules per day`, `max 2`, `no more than twice daily`, `at least 3 months`."""
    behind = cursor.attempt(_limit_behind)
    if behind is not None:
        return behind
    kinds: tuple[tuple[str, Bound], ...] = (("upto", "up to"), ("ceiling", "ceiling"), ("at_least", "at least"))
    bounds = [(end, bound) for kind, bound in kinds if (end := _end_after(cursor, kind)) is not None]
    if not bounds:
        return None
    end, bound = max(bounds)
    cursor.place = end
    cursor.sign(":-")
    best: tuple[int, Limit | Length] | None = None
    for rule in (_bounded_length, _bounded_times, _bounded_quantity):
        cursor.place = end
        limit = rule(cursor, bound)
        if limit is not None and (best is None or cursor.place > best[0]):
            best = cursor.place, limit
    if best is None:
        return None
    cursor.place = best[0]
    return best[1]


def _limit_behind(cursor: Cursor) -> Limit | None:
    """`6 lozenges max per day`."""
    quantity = read_quantity(cursor)
    if not isinstance(quantity, Quantity) or not quantity.span.is_single or cursor.word("ceiling") is None:
        return None
    cursor.sign(".")
    every = read_period(cursor)
    if every is None:
        return None
    per = _single(every.rate, quantity.span)
    return Limit(bound="ceiling", span=quantity.span, counts_times=False, unit=quantity.unit, per=per)


def _end_after(cursor: Cursor, kind: str) -> int | None:
    place = cursor.place
    word = cursor.word("for") and cursor.word(kind)
    if not word:
        cursor.place = place
        word = cursor.word(kind)
    end, cursor.place = cursor.place, place
    return end if word else None


def _bounded_length(cursor: Cursor, bound: Bound) -> Length | None:
    if read_span(cursor) is None or cursor.word("period") not in ("day", "night", "week", "month", "year"):
        return None
    if cursor.attempt(read_each_period) or cursor.attempt(read_every_so_many):
        # "At least 3 days a week" limits the days, not the length.
        raise UnreadableError("a dose and a limit on it can mean several things")
    return Length(
        kind="unparsable", reason=f"the length is given only as {'a minimum' if bound == 'at least' else 'a limit'}"
    )


def _bounded_times(cursor: Cursor, bound: Bound) -> Limit | None:
    count = read_count(cursor)
    every = read_period(cursor) or read_interval(cursor) if count else None
    if count is None or every is None:
        return None
    return Limit(bound=bound, span=count, counts_times=True, per=_single(every.rate, count))


def _bounded_quantity(cursor: Cursor, bound: Bound) -> Limit | None:
    quantity = read_quantity(cursor)
    if not isinstance(quantity, Quantity):
        return None
    if not quantity.span.is_single:
        raise UnreadableError("a limit on a range is doubtful")
    cursor.word("total_tail")
    every = cursor.attempt(read_period)
    return Limit(
        bound=bound,
        span=quantity.span,
        counts_times=False,
        unit=quantity.unit,
        per=_single(every.rate, quantity.span) if every else None,
    )


def _single(rate: Span, count: Span) -> Fraction:
    if not rate.is_single or not count.is_single:
        raise UnreadableError("a limit on a range is doubtful")
    return rate.high


def read_total(cursor: Cursor) -> Total | Neutral | None:
    """`total 4 per day`, `= 4/day`, `4 capsules total daily`, `(4 total)`; a total in milligrams is a strength."""
    place = cursor.place
    bracketed = _bracketed_total(cursor)
    if bracketed is not None:
        return bracketed
    cursor.place = place
    leads = bool(cursor.sign("=") or cursor.word("total"))
    quantity = read_counted(cursor)
    if quantity is None or not (leads or cursor.word("total_tail")):
        return None
    return _total(cursor, quantity)


def _bracketed_total(cursor: Cursor) -> Total | Neutral | None:
    """`(4 per day)`, `(= 4 caps daily total)`, behind the doses that it adds up."""
    if cursor.sign("(") is None:
        return None
    cursor.sign("=~")
    cursor.word("total")
    quantity = read_counted(cursor)
    if quantity is None or not quantity.span.is_single:
        return None
    cursor.word("total_tail")
    total = _total(cursor, quantity)
    cursor.word("total_tail")
    if total is None or cursor.sign(")") is None:
        return None
    return None if isinstance(total, Total) and not total.is_of_a_day else total


def _total(cursor: Cursor, quantity: Quantity) -> Total | Neutral | None:
    every = cursor.attempt(read_period)
    if is_strength(quantity.unit):
        return Neutral() if every else None
    per = _single(every.rate, ONE) if every else ONE.low
    return Total(span=quantity.span, unit=quantity.unit, per=per, is_of_a_day=every is not None)


def read_doses_of(cursor: Cursor) -> Facts | None:
    """`3 doses of 2 capsules per day`."""
    doses = read_whole(cursor)
    if doses is None or cursor.word("dose_word") is None or cursor.word("of") is None:
        return None
    quantity = read_quantity(cursor)
    every = cursor.attempt(read_period)
    if not isinstance(quantity, Quantity) or every is None or every.is_counted:
        return None
    return quantity, EachDose(), Times(rate=every.rate.times(doses), period=every.period, note=every.note)


def read_divided_day(cursor: Cursor) -> Facts | None:
    """`spread throughout the day`: the amount is the day's."""
    return (
        (Divided(doses=None), Times(rate=ONE, period=Fraction(1), is_counted=False))
        if cursor.word("divided_day")
        else None
    )


def read_divided(cursor: Cursor) -> Divided | Neutral | None:
    """`in two divided doses`, `divided into 3 doses`, `en 2 prises`."""
    if cursor.word("divided"):
        place = cursor.place
        cursor.word("in")
        doses = read_span(cursor)
        if doses is not None and cursor.word("divided_doses", "times_word") is not None:
            return _divided(doses)
        cursor.place = place
        return Divided(doses=None)
    if cursor.word("in") is None:
        return None
    doses = read_span(cursor)
    if doses is None:
        return None
    if cursor.word("divided_doses") is None and not (cursor.word("divided") and cursor.word("divided_doses")):
        return None
    return _divided(doses)


def _divided(doses: Span) -> Divided | Neutral:
    """One dose is none divided."""
    return Neutral() if doses == ONE else Divided(doses=doses.low if doses.is_single else None)
