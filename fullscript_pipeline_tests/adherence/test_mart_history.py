"""What the marts add for pages and BI tools: the current plan of a product, verdicts, the days' counts, the patients.

What does not belong here: supply and measures (test_mart_supply.py), the views of one day (test_views.py).
"""

from datetime import date, timedelta

import pytest

from fullscript_pipeline.adherence import recount_statuses
from fullscript_pipeline.settings import AdherencePolicy
from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line, noon

START = date(2025, 10, 1)
AS_OF = date(2026, 1, 8)


@pytest.fixture
def clinic() -> Clinic:
    clinic = Clinic()
    clinic.insert("core.patients", clinic_id="c1", patient_id="p1", first_name="Mia", email="mia@example.org")
    return clinic


@pytest.mark.parametrize(
    ("dosage", "words"),
    [
        ({"amount": "2"}, "2 capsules a day"),
        ({"amount": "1"}, "1 capsule a day"),
        ({"amount": "1-2"}, "1 to 2 capsules a day"),
        ({"amount": "1/2"}, "0.5 capsule a day"),
        ({"amount": "3", "frequency": "weekly"}, "3 capsules in 7 days"),
        ({"amount": "up to 3"}, "at most 3 capsules a day"),
        ({"amount": "at least 2"}, "at least 2 capsules a day"),
        ({"amount": "10", "frequency": "twice per day"}, "20 capsules a day"),
        ({"amount": "as directed"}, None),
    ],
)
def test_the_dose_is_said_in_words(clinic: Clinic, dosage: dict[str, str], words: str | None) -> None:
    clinic.plan([line(dosage=dosage)])
    assert clinic.row(AS_OF)["dose_text"] == words


def test_the_dose_in_words_is_the_last_one_and_says_since_when(clinic: Clinic) -> None:
    clinic.plan([line()])
    assert clinic.row(AS_OF)["dose_since"] == START
    clinic.event("treatment_plan.recommendation.updated", date(2026, 1, 20))
    clinic.plan([line(dosage={"amount": "3"})], seen=date(2026, 1, 21))
    row = clinic.row(date(2026, 1, 30))
    assert (row["dose_text"], row["dose_since"]) == ("3 capsules a day", date(2026, 1, 20))


def test_a_re_issued_plan_continues_the_older_one(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="t1")
    clinic.plan([line("zinc-120")], plan_id="t2", on=date(2025, 11, 1))
    clinic.plan([line()], plan_id="t3", on=date(2025, 12, 1))
    clinic.plan([line()], plan_id="t4", on=date(2025, 12, 5), available_at=date(2026, 2, 1))
    rows = {row["treatment_plan_id"]: (row["is_current"], row["continued_by"]) for row in clinic.rows(AS_OF)}
    assert rows == {"t1": (False, "t2"), "t2": (False, "t3"), "t3": (True, None), "t4": (False, None)}


def test_a_later_plan_that_was_cancelled_does_not_replace_the_active_one(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="t1")
    cancelled = date(2025, 12, 1)
    clinic.plan([line()], plan_id="t2", on=date(2025, 11, 1), state="cancelled", updated_on=cancelled)
    rows = {row["treatment_plan_id"]: (row["is_current"], row["continued_by"]) for row in clinic.rows(AS_OF)}
    assert rows == {"t1": (True, None), "t2": (False, None)}


@pytest.mark.parametrize(
    ("ordered", "policy", "verdict"),
    [
        (AS_OF - timedelta(days=20), AdherencePolicy(), "on_track"),
        (AS_OF - timedelta(days=23), AdherencePolicy(), "due_soon"),
        (AS_OF - timedelta(days=23), AdherencePolicy(due_soon_days=6), "on_track"),
        (AS_OF - timedelta(days=30), AdherencePolicy(), "just_ran_out"),
        (AS_OF - timedelta(days=36), AdherencePolicy(), "late"),
        (AS_OF - timedelta(days=59), AdherencePolicy(), "long_gap"),
        (None, AdherencePolicy(), "never_ordered"),
    ],
)
def test_a_row_has_one_verdict_by_the_thresholds(
    clinic: Clinic, ordered: date | None, policy: AdherencePolicy, verdict: str
) -> None:
    clinic.plan([line()])
    if ordered:
        clinic.order(ordered)
    assert clinic.row(AS_OF, policy)["verdict"] == verdict


def test_the_share_says_earlier_gaps_only_beside_a_row_on_track_and_nothing_of_a_short_window(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(date(2025, 12, 20))
    assert clinic.row(AS_OF)["share_verdict"] == "earlier_gaps"
    assert clinic.row(date(2026, 1, 30))["share_verdict"] == "below"
    clinic.order(START, quantity=3)
    assert clinic.row(AS_OF)["share_verdict"] == "at_or_above"
    assert clinic.row(START + timedelta(days=28))["share_verdict"] == "too_early"


def test_a_day_is_counted_by_status_without_older_plans(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="t1")
    clinic.plan([line()], plan_id="t2", on=date(2025, 11, 1))
    clinic.plan([line()], plan_id="t3", patient_id="p2")
    clinic.order(date(2026, 1, 8))
    clinic.rows(date(2026, 1, 7))
    clinic.rows(AS_OF)
    clinic.rows(AS_OF, patient_ids=["p2"])
    assert [(row["day"], row["status"], row["count"]) for row in clinic.table("adherence_daily")] == [
        (date(2026, 1, 7), "never_ordered", 2),
        (AS_OF, "covered", 1),
        (AS_OF, "never_ordered", 1),
    ]


def test_the_day_is_counted_again_when_rows_are_erased_and_earlier_days_stay(clinic: Clinic) -> None:
    clinic.insert("core.patients", clinic_id="c1", patient_id="p2")
    clinic.plan([line()])
    clinic.plan([line()], plan_id="t2", patient_id="p2")
    clinic.order(date(2026, 1, 5))
    clinic.rows(date(2026, 1, 7))
    clinic.rows(AS_OF)
    before = [row for row in clinic.table("adherence_daily") if row["day"] < AS_OF]
    clinic.con.execute("DELETE FROM marts.adherence WHERE patient_id = 'p2'")
    recount_statuses(clinic.con, "c1")
    after = {"clinic_id": "c1", "day": AS_OF, "status": "covered", "count": 1}
    assert clinic.table("adherence_daily") == [*before, after]
    clinic.con.execute("DELETE FROM marts.adherence")
    recount_statuses(clinic.con, "c1")
    assert clinic.table("adherence_daily") == []


def test_the_verdicts_of_a_patient_are_spells_of_days_and_a_day_made_again_leaves_one(clinic: Clinic) -> None:
    clinic.plan([line()])
    for day in (date(2026, 1, 7), AS_OF, AS_OF):
        clinic.rows(day)
    clinic.order(date(2026, 1, 9))
    clinic.rows(date(2026, 1, 9))
    clinic.rows(date(2026, 1, 10))
    clinic.rows(date(2026, 1, 10), patient_ids=["p1"])
    spells = [
        {"clinic_id": "c1", "patient_id": "p1", "verdict": "never_ordered", "since": date(2026, 1, 7),
         "until": date(2026, 1, 9)},
        {"clinic_id": "c1", "patient_id": "p1", "verdict": "on_track", "since": date(2026, 1, 9), "until": None},
    ]  # fmt: skip
    assert clinic.table("patient_verdicts") == spells
    clinic.con.execute("UPDATE core.patients SET removed_at = '2026-01-11 00:00:00+00'")
    clinic.rows(date(2026, 1, 11))
    assert [row["until"] for row in clinic.table("patient_verdicts")] == [date(2026, 1, 9), date(2026, 1, 11)]


def test_every_patient_has_one_row_with_the_most_urgent_product_and_whom_to_call(clinic: Clinic) -> None:
    clinic.product("iron", {"iron-60": (60, "capsules")})
    clinic.plan([line(), line("iron-60")], patient_id="child")
    clinic.order(AS_OF, patient_id="child")
    clinic.insert(
        "core.patients",
        clinic_id="c1",
        patient_id="child",
        guardian_patient_id="p1",
        is_dependent=True,
        external_id="7",
    )
    clinic.rows(AS_OF)
    child, mia = clinic.table("patients")
    assert (child["worst_product_id"], child["worst_verdict"], child["next_step"]) == (
        "iron",
        "never_ordered",
        "ask_if_wanted",
    )
    assert (child["guardian_first_name"], child["guardian_email"], child["external_id"]) == (
        "Mia",
        "mia@example.org",
        "7",
    )
    assert (child["products"], child["days_waiting"]) == (2, 100)
    spells = {row["patient_id"]: row["verdict"] for row in clinic.table("patient_verdicts")}
    assert spells == {"child": child["worst_verdict"]}
    assert (mia["worst_status"], mia["next_step"], mia["products"], mia["labs_to_act_on"]) == (None, "none", 0, 0)
    assert {row["guardian_patient_id"] for row in clinic.table("adherence")} == {"p1"}


def test_labs_to_act_on_are_results_open_orders_and_panels_that_were_not_ordered(clinic: Clinic) -> None:
    clinic.plan([line()], plan_id="t1")
    clinic.plan([line()], plan_id="t2", state="cancelled")
    seen = {"clinic_id": "c1", "valid_from": noon(AS_OF)}
    for plan_id, name in (("t1", "Thyroid"), ("t2", "Iron panel")):
        clinic.insert("history.lab_recommendations", **seen, treatment_plan_id=plan_id, position=0, name=name)
    for lab, state in (("Lipids", "results_ready"), ("Vitamins", "processing")):
        clinic.insert("history.lab_orders", **seen, lab_order_id=lab, patient_id="p1", name=lab, state=state)
    clinic.order(AS_OF)
    clinic.rows(AS_OF)
    (mia,) = clinic.table("patients")
    assert (mia["lab_names"], mia["labs_to_act_on"]) == (["Lipids"], 1), "lab orders were never listed completely"
    clinic.insert("ops.pulls", clinic_id="c1", resource="lab_orders", outcome="loaded", complete=True,
                  observed_at=noon(AS_OF), finished_at=noon(AS_OF))  # fmt: skip
    (mia,) = clinic.table("patients")
    assert (mia["lab_names"], mia["labs_to_act_on"], mia["next_step"]) == (["Lipids", "Thyroid"], 2, "act_on_labs")
