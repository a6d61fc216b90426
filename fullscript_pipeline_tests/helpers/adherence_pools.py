"""Pools (the plans of one patient for one product, and its fills) as the frames that the engine takes.

What does not belong here: random pools (the tests), and the definition (`adherence_oracle`).
"""

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pandas as pd

from fullscript_pipeline_tests.helpers import adherence_oracle

ORIGIN = date(2024, 1, 1)

RATES = [
    Fraction(1),
    Fraction(2),
    Fraction(3),
    Fraction(1, 2),
    Fraction(3, 2),
    Fraction(2, 7),
    Fraction(1, 30),
    Fraction(22, 3),
]

# What shares one supply: the plans of one patient for one product, and its fills.
Pool = tuple[list[adherence_oracle.Plan], list[adherence_oracle.Fill]]


def day(number: int) -> date:
    return ORIGIN + timedelta(days=number)


def frames(histories: list[Pool]) -> tuple[pd.DataFrame, pd.DataFrame]:
    recommendations = pd.DataFrame(
        [
            (f"patient-{number}", plan.plan_id, "product", plan.start, plan.end, dose.since, dose.low, dose.high)
            for number, (plans, _) in enumerate(histories)
            for plan in plans
            for dose in plan.doses
        ],
        columns=[
            *("patient_id", "treatment_plan_id", "product_id", "start", "end", "dose_from"),
            *("units_per_day_min", "units_per_day_max"),
        ],
        dtype=object,
    )
    bought = pd.DataFrame(
        [
            (f"patient-{number}", "product", fill.day, fill.units, fill.shared)
            for number, (_, fills) in enumerate(histories)
            for fill in fills
        ],
        columns=["patient_id", "product_id", "filled_on", "units", "is_shared"],
        dtype=object,
    )
    return recommendations, bought


def same(engine: Any, expected: Any) -> bool:
    """Exact equality: the engine's float must be the float nearest to the oracle's fraction."""
    if expected is None or pd.isna(engine):
        return expected is None and bool(pd.isna(engine))
    if isinstance(expected, date):
        return bool(pd.Timestamp(engine).date() == expected)
    if isinstance(expected, Fraction):
        return bool(engine == float(expected))
    return bool(engine == expected)
