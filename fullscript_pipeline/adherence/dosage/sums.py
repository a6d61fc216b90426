"""Instructions that add up: "2 in the morning and 1 at noon", "twice in the morning and once at night".

What does not belong here: one amount at several times of day (schedule.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from fullscript_pipeline.adherence.dosage.facts import (
    Fact,
    Neutral,
    Parts,
    Quantity,
    Repeats,
    Span,
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
    repeats = [(fact, parts) for fact, parts in _groups(facts) if isinstance(fact, Repeats)]
    if repeats:
        return _sum_of_times(facts, repeats)
    named = [group for group in quantities if group[1] is not None]
    if len(quantities) < 2 or not named:
        return None
    if len(named) < len(quantities):
        raise UnreadableError("one of several amounts does not name its time of day")
    _refuse_shared_names(named, facts)
    counts = [(fact, parts) for fact, parts in named if parts is not None]
    low = sum((fact.span.low * parts.least for fact, parts in counts), Fraction(0))
    high = sum((fact.span.high * parts.most for fact, parts in counts), Fraction(0))
    moments = sum((parts.least for _, parts in counts), 0)
    return Summed(
        quantity=Quantity(span=Span(low=low, high=high), unit=_common_unit([fact for fact, _ in counts])),
        times=Fraction(moments),
    )


def _groups(facts: Sequence[Fact]) -> list[tuple[Fact, Parts | None]]:
    """Each fact with the times of day right after it."""
    return [(fact, after if isinstance(after, Parts) else None) for fact, after in pairwise([*facts, Neutral()])]


def _refuse_shared_names(groups: Sequence[_Group], facts: Sequence[Fact]) -> None:
    names = [name for _, parts in groups if parts is not None for name in parts.names]
    unsure = any(parts is None or parts.least != parts.most or parts.has_meals for _, parts in groups)
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
