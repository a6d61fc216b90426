"""The marts made of marts.adherence: they agree with it, and each leaves nobody out."""

import math
from datetime import date, timedelta

import pytest

from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line

AS_OF = date(2026, 1, 30)


@pytest.fixture
def clinic() -> Clinic:
    """Five patients: supply for 10 days, for 60, run out, never ordered, new."""
    clinic = Clinic()
    clinic.plan([line()], plan_id="t1", patient_id="soon")
    clinic.order(AS_OF - timedelta(days=20), patient_id="soon")
    clinic.plan([line()], plan_id="t2", patient_id="later", practitioner_id="d2")
    clinic.order(AS_OF, "zinc-60", patient_id="later")
    clinic.order(AS_OF, "zinc-60", patient_id="later")
    clinic.plan([line()], plan_id="t3", patient_id="out")
    clinic.order(date(2025, 10, 1), patient_id="out")
    clinic.plan([line()], plan_id="t4", patient_id="never")
    clinic.plan([line()], plan_id="t5", patient_id="new", on=AS_OF - timedelta(days=28))
    clinic.rows(AS_OF)
    return clinic


def test_runout_names_who_runs_out_within_thirty_days_and_when(clinic: Clinic) -> None:
    (row,) = clinic.table("runout")
    assert (row["patient_id"], row["run_out_on"], row["days_left"]) == ("soon", date(2026, 2, 9), 9)


def test_days_left_are_the_whole_days_that_what_is_on_hand_lasts(clinic: Clinic) -> None:
    """60 capsules at 7 a day, one day used: 7 4/7 days are left, so 7 more days are covered."""
    clinic.plan([line(dosage={"amount": "7"})], plan_id="t6", patient_id="today")
    clinic.order(AS_OF, "zinc-60", patient_id="today")
    clinic.rows(AS_OF)
    rows = clinic.table("runout")
    assert {row["patient_id"]: row["days_left"] for row in rows} == {"soon": 9, "today": 7}
    assert all(row["days_left"] == math.floor(row["on_hand_days"]) for row in rows)


def test_not_ordered_tells_old_plans_from_new_ones_with_their_age(clinic: Clinic) -> None:
    found = {row["patient_id"]: (row["is_never"], row["plan_age_days"]) for row in clinic.table("not_ordered")}
    # Through the end of the day: a plan of 28 days ago has 29 days behind it, one short of the policy's 30.
    assert found == {"never": (True, 122), "new": (False, 29)}


def test_every_row_is_counted_once_for_its_practitioner(clinic: Clinic) -> None:
    first, second = clinic.table("adherence_by_practitioner")
    assert (first["practitioner_id"], first["patients"], first["recommendations"]) == ("d1", 4, 4)
    counted = ("covered", "out_of_supply", "never_ordered", "awaiting_first_order")
    assert [first[name] for name in counted] == [1, 1, 1, 1]
    assert (second["practitioner_id"], second["covered"], second["as_of"]) == ("d2", 1, AS_OF)
    states = ("depends_on_dose", "finished", "stopped", "not_started", "not_measurable")
    assert sum(row[name] for row in (first, second) for name in (*counted, *states)) == 5
