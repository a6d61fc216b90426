"""What the facts of all fields mean together: units per day, or the reason why they cannot be put together.

The facts of the fields are one sequence, so it does not matter which field holds what. What does not belong here: words
and clauses (grammar.py), how often (schedule.py), limits (bounds.py), the format's unit and the length (reader.py).
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from fullscript_pipeline.adherence.dosage.bounds import Rate, rate_from_limits, rate_within_limits
from fullscript_pipeline.adherence.dosage.facts import (
    ONE,
    Audience,
    Divided,
    EachDose,
    Fact,
    Joint,
    Length,
    Limit,
    Meals,
    Neutral,
    Parts,
    Pattern,
    Quantity,
    Repeats,
    Sites,
    Span,
    Times,
    Total,
    UnreadableError,
)
from fullscript_pipeline.adherence.dosage.schedule import Schedule, read_schedule
from fullscript_pipeline.adherence.dosage.sums import Summed, sum_of_parts

# A bare count above this is no number of times: "1 capsule", "30 daily".
_MOST_TIMES_A_DAY = 6
# Every three hours; what is taken more often until it helps is for some hours only.
_MOST_TIMES_TO_AN_END = 8
_RATES = (Times, Repeats, Parts, Meals, Pattern, Quantity)


def combine(facts: Sequence[Fact]) -> Rate:
    """The rate that the facts of amount, frequency and duration state. Raises UnreadableError when they state none."""
    _refuse_loose_joints(facts)
    if len({fact.is_child for fact in facts if isinstance(fact, Audience)}) > 1:
        raise UnreadableError("a dose for adults and one for children are given")
    is_per_day = any(isinstance(first, Quantity) and _is_bare(second) for first, second in pairwise(facts))
    _refuse_unnamed_counts(facts)
    stated: list[Fact] = [fact for fact in facts if not isinstance(fact, (Joint, Neutral, Length))]
    _refuse_limits_before_amounts(stated)
    limits = [fact for fact in stated if isinstance(fact, Limit)]
    totals = [fact for fact in stated if isinstance(fact, Total)]
    main: list[Fact] = [fact for fact in stated if not isinstance(fact, (Limit, Total))]
    summed = sum_of_parts(main)
    if summed is not None:
        _refuse_days_of_a_part(facts)
    _refuse_hours_to_an_end(facts)
    quantity, others = _the_quantity(summed, main)
    _refuse_doses_of_a_day(quantity, facts)
    if quantity is None and any(total.is_of_a_day for total in totals):
        # "A total of 3 a day with meals": what is named only says when.
        others = [fact for fact in others if not isinstance(fact, (Parts, Meals))]
    schedule = read_schedule(others, quantity.span if quantity else None, summed, is_per_day=is_per_day)
    rate = _rate(quantity, schedule, limits=limits, totals=totals, sides=_sides(others))
    for total in totals:
        _hold_against_total(rate, total)
    return rate


def _is_bare(fact: Fact) -> bool:
    """A period without a count: "daily", "per week"."""
    return isinstance(fact, Times) and not fact.is_counted


def _refuse_loose_joints(facts: Sequence[Fact]) -> None:
    """ "twice daily and at bedtime" adds or repeats: rates joined by and, or anything joined by or, are doubtful."""
    for place, fact in enumerate(facts):
        if not isinstance(fact, Joint):
            continue
        before, after = facts[:place], facts[place + 1 :]
        if not before or not after:
            raise UnreadableError(f'the text begins or ends with "{fact.word}"')
        if isinstance(after[0], (Neutral, Length)) or (fact.word == "and" and isinstance(after[0], (Limit, Divided))):
            continue
        clause = next((clause for clause in reversed(before) if not isinstance(clause, (Neutral, Joint))), None)
        starts_a_part = isinstance(after[0], (Quantity, Repeats)) and isinstance(clause, Parts)
        if fact.word == "or" or (isinstance(clause, _RATES) and not starts_a_part and isinstance(after[0], _RATES)):
            raise UnreadableError(f'two statements joined by "{fact.word}" can mean several things')


def _refuse_unnamed_counts(facts: Sequence[Fact]) -> None:
    """ "4 gélules, 2 prises par jour": a second count is one of times only when its period comes right after it."""
    counts = [place for place, fact in enumerate(facts) if isinstance(fact, Quantity)]
    for place in counts[1:]:
        fact, after = facts[place], [fact for fact in facts[place + 1 :] if not isinstance(fact, Neutral)]
        is_bare = isinstance(fact, Quantity) and fact.unit is None
        if is_bare and after and _is_bare(after[0]) and isinstance(facts[place + 1], Neutral):
            raise UnreadableError("what is counted is not said")


def _refuse_hours_to_an_end(facts: Sequence[Fact]) -> None:
    """ "Every hour until it is better" is no day's dose."""
    ends = any(isinstance(fact, Length) and fact.kind == "unparsable" for fact in facts)
    if ends and any(isinstance(fact, Times) and fact.rate.high > _MOST_TIMES_TO_AN_END for fact in facts):
        raise UnreadableError("it ends at an event, not on a date")


def _refuse_doses_of_a_day(quantity: Quantity | None, facts: Sequence[Fact]) -> None:
    """ "2 capsules, 2 doses a day" may be two in all; one capsule cannot be divided."""
    counts_doses = any(isinstance(fact, Times) and fact.counts_doses for fact in facts)
    is_clear = any(isinstance(fact, EachDose) for fact in facts) or (quantity is not None and quantity.span == ONE)
    if counts_doses and not is_clear:
        raise UnreadableError("whether the amount is for the day or for each time is not said")


def _refuse_limits_before_amounts(facts: Sequence[Fact]) -> None:
    """ "1 capsule, up to 3" is a range; "up to 3" beside an amount that follows it is not."""
    if not any(isinstance(fact, Quantity) for fact in facts):
        return
    for before, limit in pairwise([None, *facts]):
        if not isinstance(limit, Limit) or limit.per is not None or limit.counts_times or isinstance(before, Quantity):
            continue
        if limit.bound == "up to" or (limit.bound == "ceiling" and before is None):
            raise UnreadableError("a dose and a limit on it can mean several things")


def _refuse_days_of_a_part(facts: Sequence[Fact]) -> None:
    """ "1 in the morning and 2 at night on weekends", "1 in the morning for 2 weeks, 2 at night": the days may be those
    of one part alone."""
    counts = [place for place, fact in enumerate(facts) if isinstance(fact, (Quantity, Repeats))]
    for fact in facts[counts[0] : counts[-1]]:
        if isinstance(fact, (Pattern, Length)) or (isinstance(fact, Times) and fact.period > 1):
            raise UnreadableError("two different frequencies are given")
    for part, days in pairwise(facts):
        if isinstance(part, Parts) and isinstance(days, Pattern) and days.names_days:
            raise UnreadableError("two different frequencies are given")


def _the_quantity(summed: Summed | None, facts: list[Fact]) -> tuple[Quantity | None, list[Fact]]:
    """The one quantity, and the facts without it. A bare count before a period beside another is a number of times."""
    if summed is not None and summed.quantity is not None:
        return summed.quantity, [fact for fact in facts if not isinstance(fact, (Quantity, Parts))]
    if summed is not None:
        facts = [fact for fact in facts if not isinstance(fact, (Repeats, Parts))]
    if sum(isinstance(fact, Quantity) for fact in facts) > 1:
        facts = _with_count_of_times(facts)
    quantity = next((fact for fact in facts if isinstance(fact, Quantity)), None)
    return quantity, [fact for fact in facts if not isinstance(fact, Quantity)]


def _with_count_of_times(facts: list[Fact]) -> list[Fact]:
    """("2 capsules", "3 per week"): the second count is of times, unless it may only repeat the first."""
    (_, amount), (place, count), *more = [
        (place, fact) for place, fact in enumerate(facts) if isinstance(fact, Quantity)
    ]
    period = facts[place + 1] if place + 1 < len(facts) else None
    is_bare = count.unit is None and count.grouped is None and isinstance(period, Times) and not period.is_counted
    if more or not is_bare or not isinstance(period, Times):
        raise UnreadableError("a count is said twice")
    if any(isinstance(fact, Times) and not fact.is_counted for fact in facts[:place]):
        raise UnreadableError("two amounts each name a period")
    is_once = ONE in (count.span, amount.span)
    touches = count.span.low <= amount.span.high and amount.span.low <= count.span.high
    if (touches and not is_once) or count.span.low.denominator != 1 or count.span.high.denominator != 1:
        raise UnreadableError("the count may be said twice")
    times = Times(rate=period.rate.times(count.span), period=period.period, note=period.note)
    if times.rate.high > _MOST_TIMES_A_DAY:
        raise UnreadableError("the count may be said twice")
    return [*facts[:place], times, *facts[place + 2 :]]


def _sides(facts: Sequence[Fact]) -> Span:
    """How many places the amount is taken in each time: two eyes, two nostrils."""
    sites = [fact for fact in facts if isinstance(fact, Sites)]
    if len(sites) > 1:
        raise UnreadableError("the place of use is said twice")
    return Span(low=Fraction(sites[0].number), high=Fraction(sites[0].number)) if sites else ONE


def _rate(quantity: Quantity | None, schedule: Schedule, limits: list[Limit], totals: list[Total], sides: Span) -> Rate:
    """Quantity times schedule times sides, with the limits held against it or in the place of what is missing."""
    if quantity is not None and schedule.rate is not None:
        return rate_within_limits(quantity, schedule, schedule.rate.times(sides), limits)
    if limits:
        return rate_from_limits(quantity, schedule, limits, sides)
    if len(totals) == 1 and totals[0].is_of_a_day and quantity is None and schedule.rate is None:
        total = totals[0].span.high * totals[0].per
        return Rate(low=total, high=total, unit=totals[0].unit, period=Fraction(1), notes=schedule.notes)
    raise UnreadableError("there is no amount" if quantity is None else "there is no frequency")


def _hold_against_total(rate: Rate, total: Total) -> None:
    value = total.span.high * total.per
    if rate.low != rate.high or rate.high != value or (total.unit and rate.unit and total.unit != rate.unit):
        raise UnreadableError("the total and the doses disagree")
