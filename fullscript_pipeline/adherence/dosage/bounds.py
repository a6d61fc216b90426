"""`Rate`, and what limits do to it: a ceiling above a dose changes nothing, a limit instead of a dose is one end.

What does not belong here: reading limits (limits.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fullscript_pipeline.adherence.dosage.facts import ONE, Limit, Quantity, Span, UnreadableError
from fullscript_pipeline.adherence.dosage.schedule import Schedule
from fullscript_pipeline.adherence.units import Unit

_DOUBT = "a dose and a limit on it can mean several things"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Units per day; only one end when the text gives only a limit. `period`: the days that a schedule repeats in."""

    low: Fraction | None
    high: Fraction | None
    unit: Unit | None
    period: Fraction
    notes: tuple[str, ...]


def rate_within_limits(quantity: Quantity, schedule: Schedule, times: Span, limits: Sequence[Limit]) -> Rate:
    """A known dose, held against its limits; "1 capsule, up to 3" is a range. `times`: per day, on all sides."""
    span = quantity.span.times(times)
    for limit in limits:
        if limit.counts_times or limit.bound == "at least":
            raise UnreadableError(_DOUBT)
        _refuse_other_unit(quantity, limit)
        if limit.span.high * (limit.per or 1) < (quantity.span.high if limit.per is None else span.high):
            raise UnreadableError("the limit is below the dose")
        if limit.per is None and limit.bound == "ceiling" and limit.span.high < span.high:
            # "Every 4 hours, max 4": of a day or at a time is not said.
            raise UnreadableError(_DOUBT)
        if limit.bound == "up to":
            if limit.per is not None or len(limits) > 1:
                raise UnreadableError(_DOUBT)
            span = Span(low=span.low, high=limit.span.high * times.high)
    return Rate(low=span.low, high=span.high, unit=quantity.unit, period=schedule.period, notes=schedule.notes)


def rate_from_limits(quantity: Quantity | None, schedule: Schedule, limits: Sequence[Limit], sides: Span) -> Rate:
    """A limit in the place of the amount, of the frequency, or of both: one end of the dose."""
    is_least = limits[0].bound == "at least"
    if any((limit.bound == "at least") != is_least for limit in limits) or len(limits) > 2:
        raise UnreadableError("several limits can mean several things")
    amount, times, unit = quantity.span if quantity else None, schedule.rate, quantity.unit if quantity else None
    for limit in limits:
        per = None if limit.per is None else Span(low=limit.per, high=limit.per)
        if limit.counts_times and times is None and per is not None:
            times = limit.span.times(per)
        elif not limit.counts_times and amount is None and (per is None or times is None):
            # "max 3 per day" says its own period; any other frequency beside it is a second one.
            amount, unit, times = limit.span, limit.unit, per or times
        elif not limit.counts_times and per is not None and times is None and quantity is not None:
            amount, times, unit = _limit_of_day(quantity, limit), per, limit.unit or quantity.unit
        else:
            raise UnreadableError(_DOUBT)
    if amount is None or times is None:
        raise UnreadableError("there is no amount" if amount is None else "there is no frequency")
    value = (amount.low * times.low if is_least else amount.high * times.high) * sides.high
    return Rate(
        low=value if is_least else None,
        high=None if is_least else value,
        unit=unit,
        period=schedule.period,
        notes=schedule.notes,
    )


def _limit_of_day(quantity: Quantity, limit: Limit) -> Span:
    """ "1 capsule", "max 3 per day": three of them, whether three capsules or three times is meant."""
    if limit.unit is None and quantity.span != ONE:
        raise UnreadableError("whether the limit counts times or units is not said")
    _refuse_other_unit(quantity, limit)
    return limit.span


def _refuse_other_unit(quantity: Quantity, limit: Limit) -> None:
    if limit.unit is not None and quantity.unit is not None and limit.unit != quantity.unit:
        raise UnreadableError("the limit is in another unit than the dose")
