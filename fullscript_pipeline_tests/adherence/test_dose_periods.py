"""marts.adherence_dose_periods: the arithmetic of a share, dose by dose, closes and is the share.

What does not belong here: the share itself (test_engine_oracle.py).
"""

import random
from datetime import date, timedelta

from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line
from fullscript_pipeline_tests.helpers.dose_arithmetic import faults

START = date(2025, 10, 1)
AS_OF = date(2026, 1, 8)


def test_a_dose_change_cuts_the_window_and_both_parts_are_counted_by_hand() -> None:
    """120 bought: 31 days at 2 a day use 62, the 58 left last 19 1/3 days at 3 a day."""
    clinic = Clinic()
    clinic.plan([line()], seen=START)
    clinic.order(START, "zinc-120")
    clinic.event("treatment_plan.recommendation.updated", date(2025, 11, 1))
    clinic.plan([line(dosage={"amount": "3"})], seen=date(2025, 11, 2))
    rows = clinic.rows(AS_OF)
    first, second = clinic.table("adherence_dose_periods")
    columns = ("start_on", "end_on", "units_per_day", "units_on_hand", "units_bought", "units_used", "units_left")
    assert [first[name] for name in columns] == [START, date(2025, 11, 1), "2", 0, 120, 62, 58]
    assert [second[name] for name in columns] == [date(2025, 11, 1), date(2026, 1, 9), "3", 58, 0, 58, 0]
    assert (second["days_covered"], second["unit"], second["dose_plan_id"]) == (58 / 3, "capsule", "t1")
    assert faults(rows, clinic.table("adherence_dose_periods")) == []


def test_a_range_has_periods_at_both_doses() -> None:
    clinic = Clinic()
    clinic.plan([line(dosage={"amount": "1-2"})])
    clinic.order(START)
    clinic.rows(AS_OF)
    told = {
        one["dose_bound"]: (one["units_per_day"], one["days_covered"]) for one in clinic.table("adherence_dose_periods")
    }
    assert told == {"highest": ("2", 30), "lowest": ("1", 60)}


def test_the_arithmetic_closes_in_every_row_of_many_random_clinics() -> None:
    chance = random.Random(7)
    clinic = Clinic()
    clinic.product("oil", {"oil-8": (8, "fl oz"), "oil-240": (240, "mL")})
    for number in range(60):
        patient_id = f"p{number}"
        variants = chance.choice([["zinc-60", "zinc-120"], ["oil-8", "oil-240"]])
        unit = "capsule" if variants[0] == "zinc-60" else "tsp"
        for again in range(chance.randint(1, 3)):
            plan_id, on = f"{patient_id}-{again}", START + timedelta(days=chance.randint(0, 90))
            for seen in (date(2025, 10, 1), date(2025, 11, chance.randint(1, 30)))[: chance.randint(1, 2)]:
                amount = chance.choice(["1", "2", "3", "1-2", "1/2", "1-3"])
                frequency = chance.choice(["once per day", "twice per day", "every other day", "3 times per week"])
                dosage: dict[str, str | None] = {"amount": amount, "frequency": frequency, "format": unit}
                clinic.plan([line(variants[0], dosage)], plan_id=plan_id, patient_id=patient_id, on=on, seen=seen)
        for _ in range(chance.randint(0, 5)):
            clinic.order(
                START + timedelta(days=chance.randint(-60, 100)), chance.choice(variants), patient_id=patient_id
            )
    rows = clinic.rows(AS_OF)
    assert len([row for row in rows if row["pdc_min"] is not None]) > 80
    assert faults(rows, clinic.table("adherence_dose_periods")) == []
