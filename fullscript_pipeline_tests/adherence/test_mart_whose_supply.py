"""marts.adherence: whose supply an order is that names a plan of another person than the one who bought.

What does not belong here: how much supply an order is (test_mart_supply.py).
"""

from datetime import date, timedelta
from typing import Any

import pytest

from fullscript_pipeline.adherence import mart, related_patients
from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line

START = date(2025, 10, 1)
AS_OF = date(2026, 1, 8)


@pytest.fixture
def clinic() -> Clinic:
    """A guardian with two children, each with a zinc plan of their own; and somebody else, with none."""
    clinic = Clinic()
    clinic.insert("core.patients", clinic_id="c1", patient_id="guardian")
    clinic.insert("core.patients", clinic_id="c1", patient_id="else")
    for child in ("ann", "ben"):
        clinic.insert(
            "core.patients", clinic_id="c1", patient_id=child, is_dependent=True, guardian_patient_id="guardian"
        )
        clinic.plan([line()], plan_id=f"of-{child}", patient_id=child)
    return clinic


def rows_of(clinic: Clinic, **scope: Any) -> dict[str, dict[str, Any]]:
    return {row["treatment_plan_id"]: row for row in clinic.rows(AS_OF, **scope)}


def test_what_the_guardian_orders_for_a_dependents_plan_is_the_dependents_and_not_the_guardians(clinic: Clinic) -> None:
    """120 capsules at 2 a day are 60 days of 100, whoever's account it was."""
    clinic.plan([line()], plan_id="of-guardian", patient_id="guardian")
    clinic.order(START, quantity=2, patient_id="guardian", treatment_plan_ids=["of-ann"])
    rows = rows_of(clinic)
    ann, guardian = rows["of-ann"], rows["of-guardian"]
    assert (ann["status"], ann["pdc_min"], ann["pdc_max"], ann["orders"]) == ("out_of_supply", 0.6, 0.6, 1)
    assert (ann["flags"], ann["last_order_on"]) == (["ordered_by_guardian"], START)
    assert (guardian["status"], guardian["orders"], guardian["flags"]) == ("never_ordered", 0, [])
    assert rows["of-ben"]["status"] == "never_ordered"


def test_only_the_products_of_the_named_plan_are_the_dependents(clinic: Clinic) -> None:
    clinic.product("iron", {"iron-60": (60, "capsules")})
    clinic.plan([line("iron-60")], plan_id="of-guardian", patient_id="guardian")
    order: dict[str, Any] = {"order_id": "both", "patient_id": "guardian", "treatment_plan_ids": ["of-ann"]}
    clinic.order(START, **order)
    clinic.order(START, "iron-60", **order)
    rows = rows_of(clinic)
    assert [rows[plan]["orders"] for plan in ("of-ann", "of-guardian")] == [1, 1]
    assert rows["of-guardian"]["flags"] == []


def test_an_order_for_several_people_is_an_interval_in_each_row_and_none_is_not_ordered(clinic: Clinic) -> None:
    """None of 120 capsules, or 60 days of 100."""
    clinic.plan([line()], plan_id="of-guardian", patient_id="guardian")
    clinic.order(START, quantity=2, patient_id="guardian", treatment_plan_ids=["of-ann", "of-ben"])
    rows = rows_of(clinic)
    for plan in ("of-ann", "of-ben"):
        row = rows[plan]
        assert (row["pdc_min"], row["pdc_max"], row["measurable"], row["adherent"]) == (0, 0.6, "range", "no")
        assert (row["status"], row["flags"], row["orders"]) == ("out_of_supply", ["shared_order"], 1)
        # Since when nobody can say.
        assert (row["days_late"], row["verdict"], "several people" in row["reason"]) == (None, "indeterminate", True)
    assert rows["of-guardian"]["status"] == "never_ordered"


def test_an_order_for_the_guardian_and_a_dependent_is_shared_by_both(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="of-guardian", patient_id="guardian")
    clinic.order(START, quantity=4, patient_id="guardian", treatment_plan_ids=["of-guardian", "of-ann"])
    rows = rows_of(clinic)
    for plan in ("of-guardian", "of-ann"):
        row = rows[plan]
        assert (row["pdc_min"], row["pdc_max"], row["adherent"], row["status"]) == (
            0,
            1,
            "indeterminate",
            "indeterminate",
        )
        assert (row["flags"], "several people" in row["reason"]) == (["shared_order"], True)


def test_an_order_of_another_person_is_not_counted_and_never_makes_a_plan_not_ordered(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="of-else", patient_id="else")
    clinic.order(START, quantity=2, patient_id="else", treatment_plan_ids=["of-ann"])
    rows = rows_of(clinic)
    ann = rows["of-ann"]
    assert (ann["status"], ann["orders"], ann["flags"]) == ("not_measurable", 0, ["ordered_by_another"])
    assert (ann["reason"], ann["days_late"]) == ("an order of another person names this plan", None)
    assert ann["adherent"] == "indeterminate"
    assert (rows["of-else"]["orders"], rows["of-else"]["flags"]) == (1, [])


def test_beside_orders_of_ones_own_the_order_of_another_is_only_said(clinic: Clinic) -> None:
    clinic.order(START, patient_id="ann")
    clinic.order(START, patient_id="else", treatment_plan_ids=["of-ann"])
    ann = rows_of(clinic)["of-ann"]
    assert (ann["status"], ann["pdc_min"], ann["flags"]) == ("out_of_supply", 0.3, ["ordered_by_another"])


def test_as_needed_and_stopped_rows_are_not_called_not_ordered_either(clinic: Clinic) -> None:
    clinic.plan([line(dosage={"frequency": "as needed"})], plan_id="prn", patient_id="ann")
    clinic.plan([line()], plan_id="of-ben", patient_id="ben", state="cancelled", seen=date(2026, 1, 12))
    clinic.order(START, patient_id="else", treatment_plan_ids=["prn", "of-ben"])
    rows = {row["treatment_plan_id"]: row["status"] for row in clinic.rows(date(2026, 1, 20))}
    assert (rows["prn"], rows["of-ben"]) == ("as_needed", "plan_cancelled")


def test_a_refunded_order_of_the_guardian_is_none(clinic: Clinic) -> None:
    clinic.order(START, patient_id="guardian", treatment_plan_ids=["of-ann"], is_refunded=True)
    ann = rows_of(clinic)["of-ann"]
    assert (ann["status"], ann["flags"]) == ("never_ordered", [])


def test_of_a_guardians_order_without_a_date_nothing_is_said_but_that_it_is_there(clinic: Clinic) -> None:
    clinic.order(None, patient_id="guardian", treatment_plan_ids=["of-ann"])
    ann = rows_of(clinic)["of-ann"]
    assert (ann["status"], ann["flags"]) == ("not_measurable", ["undated_order", "ordered_by_guardian"])


def test_an_order_of_ones_own_is_ones_own_whatever_plan_it_names(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="again", patient_id="ann", on=START + timedelta(days=30))
    clinic.order(START, patient_id="ann", treatment_plan_ids=["again", "unheard-of"])
    rows = rows_of(clinic)
    assert (rows["of-ann"]["orders"], rows["again"]["had_stock"], rows["of-ann"]["flags"]) == (
        1,
        False,
        ["overlapping_plans"],
    )


def test_the_other_size_and_the_re_issued_plan_are_the_same_supply(clinic: Clinic) -> None:
    """The guardian buys the 120-count for a plan that says 60; the plan re-issued on the 20th day carries it in."""
    clinic.plan([line()], plan_id="again", patient_id="ann", on=START + timedelta(days=20))
    clinic.order(START, "zinc-120", patient_id="guardian", treatment_plan_ids=["of-ann"])
    rows = rows_of(clinic)
    assert (rows["again"]["carry_in_units"], rows["again"]["had_stock"], rows["again"]["status"]) == (
        80,
        True,
        "out_of_supply",
    )
    assert rows["of-ann"]["continued_by"] == "again"


@pytest.mark.parametrize("state", ["Complete", "completed", None])
def test_a_known_state_of_an_order_is_no_news(clinic: Clinic, state: str | None) -> None:
    clinic.order(START, patient_id="ann", state=state)
    assert rows_of(clinic)["of-ann"]["flags"] == []


def test_an_order_in_a_state_nobody_knows_counts_and_says_so(clinic: Clinic) -> None:
    clinic.order(START, patient_id="ann", state="backordered")
    ann = rows_of(clinic)["of-ann"]
    assert (ann["orders"], ann["flags"]) == (1, ["unknown_order_state"])


def test_rows_of_some_patients_are_those_of_all(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="of-guardian", patient_id="guardian")
    clinic.order(START, quantity=2, patient_id="guardian", treatment_plan_ids=["of-ann", "of-guardian"])
    clinic.order(START, patient_id="guardian", treatment_plan_ids=["of-ben"])
    everybody = clinic.rows(AS_OF)
    for patient_id in ("guardian", "ann", "ben"):
        assert clinic.rows(AS_OF, patient_ids=[patient_id]) == everybody


def test_patients_whose_rows_an_order_touches_are_computed_together(clinic: Clinic) -> None:
    clinic.order(START, patient_id="guardian", treatment_plan_ids=["of-ann"])
    clinic.order(START, patient_id="ben", treatment_plan_ids=["of-ben"])
    assert related_patients(clinic.con, "c1", ["guardian"]) == ["ann", "guardian"]
    assert related_patients(clinic.con, "c1", ["ann"]) == ["ann", "guardian"]
    assert related_patients(clinic.con, "c1", ["ben"]) == ["ben"]


def test_what_was_merged_into_another_patient_is_theirs(clinic: Clinic) -> None:
    """Once read again, plans and orders name the patient who was kept; the order no longer names a plan of another."""
    clinic.order(START, patient_id="else", treatment_plan_ids=["of-ben"])
    assert rows_of(clinic)["of-ben"]["flags"] == ["ordered_by_another"]
    clinic.con.execute("UPDATE core.orders SET patient_id = 'ben' WHERE patient_id = 'else'")
    ben = rows_of(clinic)["of-ben"]
    assert (ben["orders"], ben["flags"], ben["pdc_min"]) == (1, [], 0.3)


def test_a_clinic_computed_in_many_batches_has_the_rows_of_one(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each patient alone: also what a guardian ordered for another, and what several people share."""
    clinic.plan([line()], plan_id="of-guardian", patient_id="guardian")
    for day, plans in ((0, ["of-ann"]), (20, ["of-ann", "of-ben"]), (40, ["of-guardian"]), (60, [])):
        clinic.order(START + timedelta(days=day), patient_id="guardian", treatment_plan_ids=plans)
    in_one = clinic.rows(AS_OF)
    monkeypatch.setattr(mart, "ORDERS_PER_BATCH", 1)
    assert clinic.rows(AS_OF) == in_one
    assert len(in_one) == 3
