"""The engine equals the day-by-day definition, exactly, on random histories of plans that share one supply."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.adherence import measure
from fullscript_pipeline_tests.helpers import adherence_oracle
from fullscript_pipeline_tests.helpers.adherence_pools import RATES, Pool, day, frames, same


@st.composite
def doses(draw: st.DrawFn, start: int, unknown: bool) -> tuple[adherence_oracle.Dose, ...]:
    changes = sorted(draw(st.sets(st.integers(start - 10, start + 60), min_size=1, max_size=3)))
    built = []
    for number in changes:
        low, high = sorted((draw(st.sampled_from(RATES)), draw(st.sampled_from(RATES))))
        kind = draw(st.sampled_from(["exact", "exact", "range", *(["open", "unknown"] if unknown else [])]))
        built.append(
            adherence_oracle.Dose(
                day(number),
                {"exact": high, "range": low}.get(kind),
                None if kind == "unknown" else high,
            )
        )
    return tuple(built)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    unknown = draw(st.booleans())
    plans = []
    for number in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, 90))
        end = draw(st.none() | st.integers(start - 3, start + 90))
        plan_doses = draw(doses(start, unknown))
        plans.append(adherence_oracle.Plan(f"plan-{number}", day(start), None if end is None else day(end), plan_doses))
    units = st.sampled_from([Fraction(1), Fraction(7), Fraction(30), Fraction(60), Fraction(1, 2), Fraction(451, 10)])
    fills = [
        adherence_oracle.Fill(day(number), draw(units), draw(st.sampled_from([False, False, False, True])))
        for number in draw(st.lists(st.integers(-40, 130), max_size=8))
    ]
    return plans, fills


# Several pools in one call: a call costs more than a pool. The fast tier has test_engine_pools.py.
@pytest.mark.check_all
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(pools(), min_size=1, max_size=12), st.integers(20, 130).map(day))
def test_the_engine_is_the_definition(histories: list[Pool], as_of: date) -> None:
    rows = measure(*frames(histories), as_of).to_dict("records")
    result = {(row["patient_id"], row["treatment_plan_id"]): row for row in rows}
    for number, (plans, fills) in enumerate(histories):
        for plan, expected in zip(plans, adherence_oracle.pool_figures(plans, fills, as_of), strict=True):
            row = result[f"patient-{number}", plan.plan_id]
            wrong = {name: (row[name], value) for name, value in expected.items() if not same(row[name], value)}
            assert not wrong, (plan.plan_id, row["status"], wrong)
