"""Rows that readers of the pages found wrong, each with what is right: no row accuses, no dose is guessed."""

from datetime import date
from typing import Any

import pytest

from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line

AS_OF = date(2026, 11, 22)


def row_of(on: date, dosage: dict[str, str | None], ordered: date, **order: Any) -> dict[str, Any]:
    clinic = Clinic()
    clinic.plan([line(dosage=dosage, refill=None, units_to_purchase=None)], on=on, seen=on)
    clinic.order(ordered, **order)
    return clinic.row(AS_OF)


def test_a_guardian_who_buys_for_a_dependent_makes_no_plan_not_ordered() -> None:
    """2 x 60 capsules at 2 a day through 22 November: all 53 days."""
    clinic = Clinic()
    clinic.insert(
        "core.patients", clinic_id="c1", patient_id="child", is_dependent=True, guardian_patient_id="guardian"
    )
    clinic.plan([line()], patient_id="child", on=date(2026, 10, 1), seen=date(2026, 10, 1))
    clinic.order(date(2026, 10, 1), quantity=2, patient_id="guardian", treatment_plan_ids=["t1"])
    row = clinic.row(AS_OF)
    assert (row["status"], row["pdc_min"], row["flags"]) == ("covered", 1, ["ordered_by_guardian"])


def test_a_course_whose_length_is_a_range_ends_at_the_longer_one() -> None:
    row = row_of(date(2026, 5, 1), {"duration": "2-3 weeks"}, date(2026, 5, 1))
    assert (row["status"], row["duration_days"], row["days_late"]) == ("course_completed", 21, None)


@pytest.mark.parametrize("duration", ["until finished", "until next appointment", "until gone"])
def test_a_course_whose_length_is_not_read_is_never_late_and_has_no_verdict(duration: str) -> None:
    row = row_of(date(2026, 5, 1), {"duration": duration}, date(2026, 5, 1))
    assert (row["status"], row["measurable"], row["verdict"]) == ("course_length_unread",) * 3
    assert (row["days_late"], row["due_in_days"], row["adherent"], row["share_verdict"]) == (None,) * 4
    assert (row["pdc_min"], row["last_order_on"]) == (30 / 206, date(2026, 5, 1))
    assert row["reason"] == "the length of the course could not be read"


def test_a_course_of_unread_length_without_an_order_is_still_not_ordered() -> None:
    clinic = Clinic()
    clinic.plan([line(dosage={"duration": "until finished"})], on=date(2026, 5, 1), seen=date(2026, 5, 1))
    assert clinic.row(AS_OF)["status"] == "never_ordered"


def test_a_schedule_in_the_duration_changes_the_rate_or_is_not_read() -> None:
    row = row_of(date(2026, 10, 1), {"duration": "5 days per week"}, date(2026, 10, 1))
    assert (row["units_per_day_max"], row["pdc_min"]) in {("10/7", 42 / 53), (None, None)}


@pytest.mark.parametrize(
    ("dosage", "status"),
    [
        ({"additional_info": "au besoin"}, "as_needed"),
        ({"frequency": "every other week for 7 days", "duration": None}, "not_measurable"),
        ({"frequency": "once per month", "duration": "5 days"}, "not_measurable"),
        ({"amount": "1-2", "frequency": "1-2 daily"}, "not_measurable"),
        ({"amount": "1/2", "frequency": "1/2 daily"}, "not_measurable"),
        ({"amount": "2-3", "frequency": "2-3/day"}, "not_measurable"),
    ],
)
def test_a_text_that_can_mean_two_things_gives_no_figure(dosage: dict[str, str | None], status: str) -> None:
    row = row_of(date(2026, 10, 1), dosage, date(2026, 10, 1))
    assert (row["status"], row["pdc_min"], row["pdc_max"]) == (status, None, None)


def test_a_strength_in_brackets_changes_nothing_and_is_never_misquoted() -> None:
    row = row_of(date(2026, 10, 1), {"amount": "1 tablet (12.5 mg)", "format": "tablet"}, date(2026, 10, 1))
    assert "125" not in (row["reason"] or "")
    assert "(12.5 mg)" in row["dosage_text"]
