"""Instructions that add up: "2 in the morning and 1 at noon", "twice in the morning and once at night".

What does not belong here: one amount at several times of day (schedule.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from fullscript_pipeline.adherence.dosage.facts import (
    ONE,
    Fact,
    Neutral,
    Parts,
    Quantity,
    Repeats,
    Span,
    Times,
    UnreadableError,
)
from fullscript_pipeline.adherence.units import Unit

_Group = tuple[Quantity | Repeats, Parts | None]


@dataclass(frozen=True, kw_only=True)
class Summed:
    """What the parts add up to: a day's quantity, or (None) only how many times; `times`: how many times of day."""

    quantity: Quantity | None
    times: Fraction


def sum_of_parts(facts: Sequence[Fact]) -> Summed | None:
    """The sum when several counts each name their time of day right after them; None when there are not several.

    Raises UnreadableError when only some of the counts name a time of day.
    """
    quantities = [(fact, parts) for fact, parts in _groups(facts) if isinstance(fact, Quantity)]
    _refuse_hours(quantities)
    repeats = [(fact, parts) for fact, parts in _groups(facts) if isinstance(fact, Repeats)]
    if repeats:
        return _sum_of_times(facts, repeats)
    named = [group for group in quantities if group[1] is not None]
    if len(quantities) < 2 or not named:
        return None
    day = _amount_of_day(facts)
    if day is not None and len(named) == len(quantities) - 1 and _says_times(named):
        return _held_against(day, _add(named, [fact for fact in facts if fact is not day]))
    if len(named) < len(quantities):
        raise UnreadableError("one of several amounts does not name its time of day")
    return _add(named, facts)


def _amount_of_day(facts: Sequence[Fact]) -> Quantity | None:
    """`4 capsules daily`, which the named times may only explain: the first amount, with a bare "daily" behind it."""
    if any(isinstance(fact, Times) and fact.is_counted for fact in facts):
        return None
    first, after = facts[0], facts[1]
    is_daily = isinstance(after, Times) and after.rate == ONE
    return first if isinstance(first, Quantity) and is_daily else None


def _says_times(named: Sequence[tuple[Quantity, Parts | None]]) -> bool:
    """Whether more than one time is named: "3 daily, 1 with each meal"; "2 daily, 1 in the morning" leaves one out."""
    return sum(parts.least for _, parts in named if parts is not None) > 1


def _held_against(day: Quantity, summed: Summed) -> Summed:
    parts = summed.quantity
    is_other_unit = parts is not None and None not in (parts.unit, day.unit) and parts.unit != day.unit
    if parts is None or parts.span != day.span or is_other_unit:
        raise UnreadableError("the total and the doses disagree")
    return Summed(quantity=Quantity(span=day.span, unit=day.unit or parts.unit), times=summed.times)


def _add(named: Sequence[tuple[Quantity, Parts | None]], facts: Sequence[Fact]) -> Summed:
    _refuse_shared_names(named, facts)
    counts = [(fact, parts) for fact, parts in named if parts is not None]
    low = sum((fact.span.low * parts.least for fact, parts in counts), Fraction(0))
    high = sum((fact.span.high * parts.most for fact, parts in counts), Fraction(0))
    moments = sum((parts.least for _, parts in counts), 0)
    return Summed(
        quantity=Quantity(span=Span(low=low, high=high), unit=_common_unit([fact for fact, _ in counts])),
        times=Fraction(moments),
    )


def _refuse_hours(quantities: Sequence[tuple[Quantity, Parts | None]]) -> None:
    """`1 capsule at 8 am - 2 pm`: beside the hour of a clock, a number before am or pm can be another."""
    has_clock = any(name[0].isdigit() for _, parts in quantities if parts for name in parts.names)
    for fact, parts in quantities:
        is_half_day = parts is not None and parts.names[0] in ("morning", "evening")
        if fact.unit is None and is_half_day and has_clock:
            raise UnreadableError("whether a number is an hour or a count is not said")


def _groups(facts: Sequence[Fact]) -> list[tuple[Fact, Parts | None]]:
    """Each fact with the times of day right after it."""
    return [(fact, after if isinstance(after, Parts) else None) for fact, after in pairwise([*facts, Neutral()])]


def _refuse_shared_names(groups: Sequence[_Group], facts: Sequence[Fact]) -> None:
    names = [name for _, parts in groups if parts is not None for name in parts.names]
    unsure = any(parts is None or parts.least != parts.most for _, parts in groups)
    # Three meals and bedtime are four times; any other time can be that of a meal.
    unsure |= "meals" in names and not set(names) <= {"meals", "night", "bedtime"}
    if unsure or len(set(names)) < len(names) or sum(isinstance(fact, Parts) for fact in facts) != len(groups):
        raise UnreadableError("amounts at times of day that are not clearly different")


def _common_unit(counts: Sequence[Quantity]) -> Unit | None:
    units = {count.unit for count in counts if count.unit is not None}
    if len(units) > 1 or any(count.grouped for count in counts):
        raise UnreadableError("two different units are given")
    return next(iter(units), None)


def _sum_of_times(facts: Sequence[Fact], repeats: Sequence[tuple[Repeats, Parts | None]]) -> Summed:
    """Counts of times: each needs its time of day, for "twice" alone is no frequency."""
    named = [(fact, parts) for fact, parts in repeats if parts is not None]
    if len(named) < len(repeats):
        raise UnreadableError("how often in which time is not said")
    _refuse_shared_names(named, facts)
    times = Fraction(0)
    for fact, parts in named:
        if not fact.count.is_single or (fact.count.low > 1 and len(repeats) == 1):
            raise UnreadableError("the number of times and the named times of day disagree")
        times += fact.count.low * parts.least
    return Summed(quantity=None, times=times)
