"""Times per day from everything that says how often; two statements must agree or be about different things.

What does not belong here: how much each time (meaning.py), how long (reader.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fullscript_pipeline.adherence.dosage.facts import (
    ONE,
    Divided,
    Fact,
    Meals,
    Parts,
    Pattern,
    Span,
    Times,
    UnreadableError,
)
from fullscript_pipeline.adherence.dosage.sums import Summed

_THREE_MEALS = "there are three meals a day"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Times per day (None: not said), and the longest period that it repeats in."""

    rate: Span | None
    period: Fraction
    notes: tuple[str, ...]


def read_schedule(facts: Sequence[Fact], amount: Span | None, summed: Summed | None, *, is_per_day: bool) -> Schedule:
    """`amount`: what is taken each time; `summed`: what was added up already; `is_per_day`: the amount is said to
    be a day's ("2 daily"), not only taken every day."""
    times = [fact for fact in facts if isinstance(fact, Times)]
    patterns = [fact for fact in facts if isinstance(fact, Pattern)]
    dated: list[Times | Pattern] = [*times, *patterns]
    notes = [fact.note for fact in dated if fact.note]
    daily = _daily(facts, times, amount=None if is_per_day else amount, summed=summed, notes=notes)
    _refuse_every_day(facts, times)
    longer, share = _longer(times, patterns, daily)
    period = max([fact.period for fact in dated], default=Fraction(1))
    if longer is not None:
        return Schedule(rate=longer, period=period, notes=tuple(notes))
    if daily is None and patterns and not any(fact.needs_daily for fact in patterns):
        daily = ONE
    return Schedule(rate=None if daily is None else daily.times(share), period=period, notes=tuple(notes))


def _daily(
    facts: Sequence[Fact], times: Sequence[Times], amount: Span | None, summed: Summed | None, notes: list[str]
) -> Span | None:
    """Times on a day of taking, or None when nothing says it."""
    counted = {fact.rate for fact in times if fact.is_counted and not fact.is_interval and fact.period <= 2}
    bare = {fact.rate for fact in times if not fact.is_counted and fact.period <= 1}
    if len(counted | bare) > 1:
        raise UnreadableError("two different frequencies are given")
    stated = next(iter(counted | bare), None)
    parts = _moments(facts)
    divided = [fact for fact in facts if isinstance(fact, Divided)]
    if divided:
        return _undivided(divided, bare, counted, parts)
    if summed is not None:
        return _for_sum(stated, summed, bool(bare))
    if parts is not None:
        if any(isinstance(fact, Parts) and fact.has_meals for fact in facts) or _adds_meals(facts):
            notes.append(_THREE_MEALS)
        return _agreed(parts, stated, bool(bare), amount)
    if stated is None and any(isinstance(fact, Meals) for fact in facts) and not any(t.period > 1 for t in times):
        if any(isinstance(fact, Pattern) for fact in facts):
            raise UnreadableError("whether it is taken once or with every meal on those days is not said")
        notes.append(_THREE_MEALS)
        return Span(low=Fraction(3), high=Fraction(3))
    return stated


def _for_sum(stated: Span | None, summed: Summed, is_bare: bool) -> Span:
    """A day's quantity is taken once; a sum of times is that number. A count beside it must be that number."""
    times = Span(low=summed.times, high=summed.times)
    if stated is not None and not is_bare and stated != times:
        raise UnreadableError("the number of times and the named times of day disagree")
    return times if summed.quantity is None else ONE


def _adds_meals(facts: Sequence[Fact]) -> bool:
    return any(isinstance(fact, Parts) and set(fact.names) <= {"night", "bedtime"} for fact in facts) and any(
        isinstance(fact, Meals) for fact in facts
    )


def _moments(facts: Sequence[Fact]) -> Parts | None:
    """The named times of day; several statements must name the same."""
    parts = [fact for fact in facts if isinstance(fact, Parts)]
    if not parts:
        return None
    first = parts[0]
    if any((set(part.names), part.least) != (set(first.names), first.least) for part in parts[1:]):
        raise UnreadableError("times of day in two places can add up or repeat each other")
    return first


def _agreed(parts: Parts, stated: Span | None, is_bare: bool, amount: Span | None) -> Span:
    """A count must agree with the named times; "2 a day in the morning and at night" may be two in all."""
    if stated is not None and not is_bare:
        if stated.is_single and parts.least <= stated.high <= parts.most:
            return stated
        if parts.most == 1 and stated.high <= 1:
            return stated
        raise UnreadableError("the number of times and the named times of day disagree")
    if is_bare and stated != ONE:
        raise UnreadableError("two different frequencies are given")
    if parts.least != parts.most:
        raise UnreadableError("how many times of day are meant is not said")
    if is_bare and parts.least > 1 and (amount is None or amount.high > 1):
        raise UnreadableError("whether the amount is for the day or for each time is not said")
    return Span(low=Fraction(parts.least), high=Fraction(parts.least))


def _undivided(divided: Sequence[Divided], bare: set[Span], counted: set[Span], parts: Parts | None) -> Span:
    """In divided doses the amount is the day's."""
    doses = {fact.doses for fact in divided if fact.doses is not None}
    if not bare or counted or len(doses) > 1:
        raise UnreadableError("whether the amount is for the day or for each time is not said")
    if parts is not None and doses and not parts.least <= min(doses) <= parts.most:
        raise UnreadableError("the number of doses and the named times of day disagree")
    return ONE


def _refuse_every_day(facts: Sequence[Fact], times: Sequence[Times]) -> None:
    """ "Every morning, every second week" is no dose each second week."""
    is_weekly = any(fact.period > 2 and not fact.is_interval for fact in times)
    if is_weekly and any(isinstance(fact, Parts) and fact.is_every_day for fact in facts):
        raise UnreadableError("two different frequencies are given")


def _longer(times: Sequence[Times], patterns: Sequence[Pattern], daily: Span | None) -> tuple[Span | None, Span]:
    """A rate in a longer period, and the share of days that patterns leave."""
    shares = {fact.share for fact in patterns}
    weekly = {fact.rate for fact in times if fact.period > 2 or fact.is_interval}
    if len(shares) > 1 or len(weekly) > 1:
        raise UnreadableError("two different frequencies are given")
    share = next(iter(shares), ONE)
    if not weekly:
        return None, share
    rate = next(iter(weekly))
    if shares:
        # "3 times per week (Mon, Wed, Fri)" says one thing twice.
        if rate != share or (daily is not None and daily != ONE) or any(fact.needs_daily for fact in patterns):
            raise UnreadableError("the number of times and the named days disagree")
        return rate, ONE
    if daily is None or (daily == ONE and not _says_daily(times)):
        return rate, ONE
    if all(fact.is_interval for fact in times if fact.period > 1):
        return None, rate
    raise UnreadableError("two different frequencies are given")


def _says_daily(times: Sequence[Times]) -> bool:
    """Whether a count or "daily" says how often on a day; a time of day says no more than when."""
    return any(fact.period <= 1 for fact in times)
