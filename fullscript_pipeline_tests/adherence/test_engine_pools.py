"""The dose in force, by the engine and by the day-by-day definition, on random pools with pauses between plans.

Plans follow each other with or without pauses, or overlap; doses are ranges, open or unknown, dated before their plan,
in it or after it. What does not belong here: the measures of one plan (test_engine_oracle.py).
"""

import random
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from fullscript_pipeline.adherence import measure
from fullscript_pipeline_tests.helpers import adherence_oracle
from fullscript_pipeline_tests.helpers.adherence_pools import RATES, Pool, day, frames, same

AS_OF = day(150)
UNITS = [Fraction(1), Fraction(7), Fraction(30), Fraction(60), Fraction(1, 2), Fraction(451, 10)]


def a_dose(chance: random.Random, since: date, *, allow_unknown: bool) -> adherence_oracle.Dose:
    low, high = sorted(chance.choices(RATES, k=2))
    kind = chance.choice(["exact", "exact", "exact", "range", *(["most", "least", "unknown"] if allow_unknown else [])])
    least = {"exact": high, "range": low, "least": low}.get(kind)
    return adherence_oracle.Dose(since, least, None if kind in ("least", "unknown") else high)


def a_pool(chance: random.Random) -> Pool:
    plans = []
    start = chance.randint(0, 40)
    allow_unknown = chance.random() < 0.3
    for number in range(chance.randint(1, 4)):
        end = start + chance.randint(1, 45)
        dated = sorted(chance.sample(range(start - 40, end + 15), chance.randint(1, 4)))
        doses = tuple(a_dose(chance, day(since), allow_unknown=allow_unknown) for since in dated)
        is_open = chance.random() < 0.15
        plans.append(adherence_oracle.Plan(f"plan-{number}", day(start), None if is_open else day(end), doses))
        start = max(0, end + chance.choice([0, 0, 1, chance.randint(2, 30), chance.randint(2, 30), -10]))
    sharing = chance.choice([0, 0, 0.3])
    fills = [
        adherence_oracle.Fill(day(chance.randint(-40, 160)), chance.choice(UNITS), chance.random() < sharing)
        for _ in range(chance.randint(0, 8))
    ]
    return plans, fills


def measured(pools: list[Pool]) -> dict[tuple[str, str], dict[Any, Any]]:
    rows = measure(*frames(pools), AS_OF).to_dict("records")
    return {(row["patient_id"], row["treatment_plan_id"]): row for row in rows}


def differences(pools: list[Pool]) -> list[tuple[object, ...]]:
    """Every figure in which the engine is not the definition."""
    result = measured(pools)
    found: list[tuple[object, ...]] = []
    for number, (plans, fills) in enumerate(pools):
        for plan, expected in zip(plans, adherence_oracle.pool_figures(plans, fills, AS_OF), strict=True):
            row = result[f"patient-{number}", plan.plan_id]
            found += [
                (number, plan.plan_id, name, row[name], value)
                for name, value in expected.items()
                if not same(row[name], value)
            ]
    return found


def random_pools(seed: int, number: int) -> list[Pool]:
    chance = random.Random(seed)
    return [a_pool(chance) for _ in range(number)]


def test_the_dose_in_force_is_the_definitions_on_hundreds_of_pools() -> None:
    assert differences(random_pools(1, 200)) == []


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_the_dose_in_force_is_the_definitions_on_ten_thousand_pools(seed: int) -> None:
    assert differences(random_pools(1000 + seed, 1000)) == []


def test_what_a_plan_leaves_is_what_the_next_carries_in() -> None:
    """Two plans side by side agree; over a pause the last dose goes on."""
    pools = [(plans, [fill for fill in fills if not fill.shared]) for plans, fills in random_pools(2, 400)]
    result = measured(pools)
    touching = 0
    for number, (plans, _) in enumerate(pools):
        rows = [result[f"patient-{number}", plan.plan_id] for plan in plans]
        for first, second in pairwise(rows):
            both = [first["on_hand_units"], second["carry_in_units"]]
            if first["window_end"] == second["window_start"] and not any(pd.isna(value) for value in both):
                touching += both[0] > 0
                assert both[0] == pytest.approx(both[1], abs=1e-9), (number, first["treatment_plan_id"])
    assert touching > 20


def test_over_a_pause_the_last_dose_goes_on_and_not_the_next_plans() -> None:
    """60 bought on day 0 at 1 a day for 10 days, a pause of 10, then a plan of 5 a day: 40 are carried in."""
    first = adherence_oracle.Plan("a", day(0), day(10), (adherence_oracle.Dose(day(0), Fraction(1), Fraction(1)),))
    second = adherence_oracle.Plan("b", day(20), None, (adherence_oracle.Dose(day(15), Fraction(5), Fraction(5)),))
    row = measured([([first, second], [adherence_oracle.Fill(day(0), Fraction(60))])])["patient-0", "b"]
    assert row["carry_in_units"] == 40


def test_a_dose_dated_before_the_first_plan_counts_from_its_date() -> None:
    """60 bought 20 days before the plan: 10 days at 1 a day, 10 at 2, before it begins with 2."""
    doses = (
        adherence_oracle.Dose(day(0), Fraction(1), Fraction(1)),
        adherence_oracle.Dose(day(10), Fraction(2), Fraction(2)),
    )
    row = measured(
        [([adherence_oracle.Plan("a", day(20), None, doses)], [adherence_oracle.Fill(day(0), Fraction(60))])]
    )["patient-0", "a"]
    assert row["carry_in_units"] == 30
