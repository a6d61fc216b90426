"""The definition of the adherence measures, day by day, in exact fractions: slow, obvious, and the judge of the engine.

What does not belong here: anything shared with the engine; that is the point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from typing import Any

ONE_DAY = timedelta(days=1)
Doses = Callable[[date], Fraction | None]


@dataclass(frozen=True)
class Dose:
    since: date
    low: Fraction | None
    high: Fraction | None


@dataclass(frozen=True)
class Plan:
    """One recommended product of one plan; `doses` in order of date, the first in force from the beginning of time."""

    plan_id: str
    start: date
    end: date | None
    doses: tuple[Dose, ...]

    def dose_on(self, day: date) -> Dose:
        known = [dose for dose in self.doses if dose.since <= day]
        return known[-1] if known else self.doses[0]


@dataclass(frozen=True)
class Fill:
    """`shared`: ordered for several people, so none to all of it is this patient's."""

    day: date
    units: Fraction
    shared: bool = False


@dataclass
class Course:
    """A stock consumed day by day: what share of each day it covered, and what was left after it."""

    covered: dict[date, Fraction] = field(default_factory=dict)
    left: dict[date, Fraction] = field(default_factory=dict)


def days(start: date, end: date) -> list[date]:
    return [start + ONE_DAY * number for number in range((end - start).days)]


def window(plan: Plan, as_of: date) -> tuple[date, date]:
    return plan.start, min(plan.end or as_of, as_of)


def consume(fills: Sequence[Fill], dose: Doses, start: date, end: date) -> Course:
    """The method's section 4: add the day's fills, take the day's dose or what there is."""
    course, stock = Course(), Fraction(0)
    for day in days(start, end):
        stock += sum((fill.units for fill in fills if fill.day == day), Fraction(0))
        rate = dose(day)
        assert rate is not None
        share = min(Fraction(1), stock / rate)
        stock -= share * rate
        course.covered[day], course.left[day] = share, stock
    return course


def pool_dose(plans: Sequence[Plan], as_of: date, highest: bool) -> Doses:
    """The dose of the latest-started active plan; on a day without one, the dose of the last day that had one.

    Before the first plan of all, that plan's dose of the day (a dose dated before the plan counts from its date).
    None where that dose is unknown.
    """
    begun = [plan for plan in plans if window(plan, as_of)[1] > plan.start]

    @cache
    def stated(day: date) -> Fraction | None:
        first = min(plan.start for plan in begun)
        if day < first:
            plan = max((plan for plan in begun if plan.start == first), key=lambda one: one.plan_id)
            return bound(plan.dose_on(day))
        active = [plan for plan in begun if plan.start <= day < window(plan, as_of)[1]]
        if not active:
            return stated(day - ONE_DAY)
        return bound(max(active, key=lambda one: (one.start, one.plan_id)).dose_on(day))

    def bound(dose: Dose) -> Fraction | None:
        return dose.high if highest else dose.low

    return stated


def assumed(dose: Doses, start: date, end: date) -> Doses:
    """Where the dose is unknown, stock runs down at the next known one, else at the last known one."""
    stated = {day: dose(day) for day in days(start, end)}
    ahead: Fraction | None = None
    filled: dict[date, Fraction | None] = {}
    for day in reversed(stated):
        ahead = stated[day] or ahead
        filled[day] = ahead
    behind: Fraction | None = None
    for day in stated:
        behind = filled[day] or behind
        filled[day] = behind
    return lambda day: filled[day]


def gaps(course: Course, start: date, end: date) -> list[tuple[date, date, Fraction]]:
    """Maximal runs of days not fully covered: first day, day after the last, days of supply missing."""
    found: list[tuple[date, date, Fraction]] = []
    for day in days(start, end):
        share = course.covered[day]
        if share == 1:
            continue
        if found and found[-1][1] == day:
            found[-1] = (found[-1][0], day + ONE_DAY, found[-1][2] + 1 - share)
        else:
            found.append((day, day + ONE_DAY, 1 - share))
    return found


def pool_figures(plans: Sequence[Plan], fills: Sequence[Fill], as_of: date) -> list[dict[str, Any]]:
    """Every figure of every plan that shares one supply, None where the method gives none."""
    return [_row(plan, plans, sorted(fills, key=lambda fill: fill.day), as_of) for plan in plans]


def _row(plan: Plan, plans: Sequence[Plan], fills: Sequence[Fill], as_of: date) -> dict[str, Any]:
    start, end = window(plan, as_of)
    if end <= start:
        return {"status": "not_started", "pdc_min": None, "pdc_max": None, "window_end": None}
    own = [dose for day in days(start, end) for dose in [plan.dose_on(day)]]
    inside = [fill for fill in fills if start <= fill.day < end]
    certain = [fill for fill in fills if not fill.shared]
    low = _bound(plan, plans, certain, as_of, highest=True) if all(dose.high for dose in own) else None
    high = _bound(plan, plans, fills, as_of, highest=False) if all(dose.low for dose in own) else None
    row: dict[str, Any] = {
        "window_start": start,
        "window_end": end,
        "window_days": (end - start).days,
        "orders": len(inside),
        "initiation_delay_days": (inside[0].day - start).days if inside else None,
        "pdc_min": low and low["pdc"],
        "pdc_max": high and high["pdc"],
        "on_hand_days_max": high and high["on_hand_days"],
    }
    for name in SINGLE:
        row[name] = low and low[name]
    return row | {"status": _status(start, as_of, fills, inside, low, high)}


SINGLE = (
    *("on_hand_days", "on_hand_units", "run_out_on", "longest_gap_days", "gap_days", "pdc_since_first_order", "cma1"),
    *("cma2", "cma5", "supply_ratio", "carry_in_units", "carry_in_days", "episodes", "is_persistent"),
)


def _status(
    start: date,
    as_of: date,
    fills: Sequence[Fill],
    inside: Sequence[Fill],
    low: dict[str, Any] | None,
    high: dict[str, Any] | None,
) -> str:
    stocked = [bound["carry_in_units"] > 0 for bound in (low, high) if bound]
    had_stock = any(stocked) if stocked else any(fill.day < start for fill in fills)
    if not inside and not had_stock:
        return "never_ordered" if (as_of - start).days >= 30 else "awaiting_first_order"
    if low is None or high is None:
        return "not_measurable"
    covered = [bound["covered_at_end"] for bound in (low, high)]
    return "covered" if all(covered) else "indeterminate" if any(covered) else "out_of_supply"


def _bound(
    plan: Plan, plans: Sequence[Plan], fills: Sequence[Fill], as_of: date, highest: bool
) -> dict[str, Any] | None:
    """The figures at one bound of the dose; None when some day of the window has no known dose."""
    start, end = window(plan, as_of)
    stated = pool_dose(plans, as_of, highest)
    if any(stated(day) is None for day in days(start, end)):
        return None
    last = max(window(one, as_of)[1] for one in plans)
    first = min([one.start for one in plans] + [fill.day for fill in fills])
    dose = assumed(stated, first, max(last, as_of))

    def rate(day: date) -> Fraction:
        value = dose(day)
        assert value is not None
        return value

    course = consume(fills, dose, first, end)
    inside = [fill for fill in fills if start <= fill.day < end]
    length = (end - start).days
    covered = sum((course.covered[day] for day in days(start, end)), Fraction(0))
    carried = course.left[start - ONE_DAY] if start > first else Fraction(0)
    supply = sum((fill.units / rate(fill.day) for fill in inside), Fraction(0))
    left = course.left[end - ONE_DAY]
    holes = gaps(course, start, end)
    is_covered = course.covered[end - ONE_DAY] == 1
    on_hand = left / rate(end - ONE_DAY)
    run_out = end + ONE_DAY * (on_hand.numerator // on_hand.denominator) if is_covered else holes[-1][0]
    return {
        "pdc": covered / length,
        "covered_at_end": is_covered,
        "on_hand_units": left,
        "on_hand_days": on_hand,
        "run_out_on": run_out if covered else None,
        "longest_gap_days": max((hole[2] for hole in holes), default=Fraction(0)),
        "gap_days": length - covered,
        "supply_ratio": (carried / rate(start) + supply) / length,
        "carry_in_units": carried,
        "carry_in_days": carried / rate(start),
        **_episodes(holes, covered, start, end),
        **_without_carry_in(inside, rate, end, supply),
    }


def _without_carry_in(
    inside: Sequence[Fill], rate: Callable[[date], Fraction], end: date, supply: Fraction
) -> dict[str, Fraction | None]:
    """CMA1, CMA2, CMA5 and CMA6: from the first fill of the window, nothing carried in."""
    if not inside:
        return dict.fromkeys(("pdc_since_first_order", "cma1", "cma2", "cma5"))
    first, last = inside[0].day, inside[-1].day
    course = consume(inside, rate, first, end)
    between = (last - first).days
    earlier = sum((fill.units / rate(fill.day) for fill in inside if fill.day < last), Fraction(0))
    return {
        "pdc_since_first_order": sum(course.covered.values(), Fraction(0)) / (end - first).days,
        "cma2": supply / (end - first).days,
        "cma1": earlier / between if between else None,
        "cma5": sum((course.covered[day] for day in days(first, last)), Fraction(0)) / between if between else None,
    }


def _episodes(
    holes: Sequence[tuple[date, date, Fraction]], covered: Fraction, start: date, end: date
) -> dict[str, Any]:
    """Persistence, permissible gap 30 days: a longer gap ends an episode, but not one at the window's start."""
    long = [hole for hole in holes if hole[2] > 30]
    breaks = [hole for hole in long if hole[0] > start and hole[1] < end]
    return {
        "episodes": 1 + len(breaks) if covered else 0,
        "is_persistent": covered > 0 and not any(hole[1] == end for hole in long),
    }
