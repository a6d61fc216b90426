"""marts.adherence: how the life of a plan decides window, dose and status; and how the marts are rebuilt."""

from datetime import date, timedelta

import pytest

from fullscript_pipeline_tests.helpers.adherence_clinic import FIRST_PULL, Clinic, line, noon

START = date(2025, 10, 1)
LATER = FIRST_PULL + timedelta(days=5)
AS_OF = FIRST_PULL + timedelta(days=20)


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def test_a_draft_gives_no_row(clinic: Clinic) -> None:
    clinic.plan([line()], state="draft")
    assert clinic.rows(AS_OF) == []


def test_activation_is_the_day_first_seen_active_after_a_draft(clinic: Clinic) -> None:
    clinic.plan([line()], state="draft", available_at=None)
    clinic.plan([line()], state="active", available_at=None, seen=LATER)
    assert clinic.row(AS_OF)["window_start"] == LATER


def test_the_activation_event_is_better_than_the_day_first_seen(clinic: Clinic) -> None:
    clinic.plan([line()], state="draft", available_at=None)
    clinic.plan([line()], state="active", available_at=None, seen=LATER)
    clinic.event("treatment_plan.created", LATER - timedelta(days=2))
    assert clinic.row(AS_OF)["window_start"] == LATER - timedelta(days=2)


def test_a_plan_that_becomes_available_later_starts_then(clinic: Clinic) -> None:
    clinic.plan([line()], available_at=AS_OF + timedelta(days=1))
    row = clinic.row(AS_OF)
    assert (row["status"], row["window_end"], row["pdc_min"], row["adherent"]) == ("not_started", None, None, None)
    assert clinic.row(AS_OF + timedelta(days=1))["window_days"] == 1


def test_first_seen_cancelled_is_not_cancelled_on_that_day(clinic: Clinic) -> None:
    """The plan may have been cancelled long before the first pull: its last update is the better date."""
    clinic.plan([line()], state="cancelled", updated_on=date(2025, 11, 10))
    clinic.order(START)
    row = clinic.row(AS_OF)
    assert (row["status"], row["window_end"], row["pdc_min"]) == ("plan_cancelled", date(2025, 11, 10), 0.75)


def test_cancellation_ends_the_window_on_the_day_it_was_seen_or_the_day_of_its_event(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START)
    clinic.plan([line()], state="cancelled", seen=LATER)
    assert clinic.row(AS_OF)["window_end"] == LATER
    clinic.event("treatment_plan.updated", LATER - timedelta(days=1))
    assert clinic.row(AS_OF)["window_end"] == LATER - timedelta(days=1)
    labels = [(piece["start_on"], piece["label"]) for piece in clinic.table("adherence_timeline")]
    assert (LATER - timedelta(days=1), "plan cancelled") in labels


def test_cancelled_without_an_order(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.plan([line()], state="cancelled", seen=LATER)
    assert clinic.row(AS_OF)["status"] == "cancelled_before_order"


def test_a_plan_that_vanished_stops(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START)
    clinic.plan([line()], seen=LATER, removed_at=noon(LATER))
    row = clinic.row(AS_OF)
    assert (row["status"], row["window_end"], row["flags"]) == ("plan_cancelled", LATER, ["plan_vanished"])


def test_a_state_this_program_does_not_know_gives_no_number(clinic: Clinic) -> None:
    clinic.plan([line()], state="archived")
    clinic.order(START)
    row = clinic.row(AS_OF)
    assert (row["status"], row["measurable"], row["pdc_min"]) == ("not_measurable", "unknown_plan_state", None)


def test_a_dose_change_counts_from_its_event_else_from_the_day_first_seen(clinic: Clinic) -> None:
    """120 capsules from 1 January at 2 a day; from the change on 3 a day."""
    clinic.plan([line()], on=date(2026, 1, 1))
    clinic.order(date(2026, 1, 1), "zinc-120")
    clinic.plan([line(dosage={"amount": "3"})], on=date(2026, 1, 1), seen=LATER)
    # 14 days x 2 = 28; 92 left / 3 = 30 full days from 15 January.
    assert clinic.row(AS_OF)["run_out_on"] == LATER + timedelta(days=30)
    clinic.event("treatment_plan.recommendation.updated", LATER - timedelta(days=3))
    # 11 days x 2 = 22; 98 left / 3 = 32 full days from 12 January.
    row = clinic.row(AS_OF)
    assert row["run_out_on"] == LATER + timedelta(days=29)
    assert row["units_per_day_max"] == "3"


def test_the_first_version_is_the_past(clinic: Clinic) -> None:
    """Nothing is known about doses before the first pull: the first one seen was in force all along."""
    clinic.plan([line()])
    assert clinic.row(AS_OF)["window_start"] == START


def test_a_line_taken_out_moves_the_others_up_and_changes_nothing_for_them(clinic: Clinic) -> None:
    clinic.product("iron", {"iron": (60, "capsules")})
    clinic.plan([line(), line("iron")])
    clinic.order(START, "zinc-60")
    clinic.order(START, "iron")
    clinic.plan([line("iron")], seen=LATER)
    rows = {row["product_id"]: row for row in clinic.rows(AS_OF)}
    assert (rows["zinc"]["status"], rows["zinc"]["window_end"]) == ("recommendation_removed", LATER)
    assert (rows["iron"]["status"], rows["iron"]["window_end"]) == ("out_of_supply", AS_OF + timedelta(days=1))
    assert [piece["label"] for piece in clinic.table("adherence_timeline") if piece["kind"] == "plan_change"] == [
        "taken out of the plan"
    ]


def test_another_pack_size_keeps_one_row(clinic: Clinic) -> None:
    clinic.plan([line("zinc-60")])
    clinic.plan([line("zinc-120")], seen=LATER)
    row = clinic.row(AS_OF)
    assert (row["window_start"], row["variant_ids"], row["window_end"]) == (
        START,
        ["zinc-120"],
        AS_OF + timedelta(days=1),
    )


def test_a_product_added_later_starts_when_it_was_added(clinic: Clinic) -> None:
    clinic.product("iron", {"iron": (60, "capsules")})
    clinic.plan([line()])
    clinic.plan([line(), line("iron")], seen=LATER)
    assert {row["product_id"]: row["window_start"] for row in clinic.rows(AS_OF)} == {"zinc": START, "iron": LATER}


@pytest.mark.parametrize(("packs", "status", "ratio"), [(1, "course_incomplete", 0.5), (2, "course_completed", 1.0)])
def test_a_finite_course_is_judged_by_its_supply(clinic: Clinic, packs: int, status: str, ratio: float) -> None:
    """60 days x 2 = 120 capsules, bought ten days late."""
    clinic.plan([line(dosage={"duration": "2 months"})])
    clinic.order(START + timedelta(days=10), quantity=packs)
    row = clinic.row(AS_OF)
    assert (row["status"], row["course_supply_ratio"]) == (status, ratio)
    assert (row["window_end"], row["duration_days"]) == (START + timedelta(days=60), 60)
    assert row["assumptions"] == ["a month is 30 days"]


@pytest.mark.parametrize(("packs", "status"), [(0, "cancelled_before_order"), (2, "plan_cancelled")])
def test_a_course_that_was_over_before_its_plan_was_cancelled_is_stopped(
    clinic: Clinic, packs: int, status: str
) -> None:
    """The first status that applies; the window and its figures stay those of the course."""
    course = [line(dosage={"duration": "2 months"})]
    clinic.plan(course)
    if packs:
        clinic.order(START, quantity=packs)
    clinic.plan(course, state="cancelled", seen=LATER)
    row = clinic.row(AS_OF)
    assert (row["status"], row["window_end"]) == (status, START + timedelta(days=60))
    assert "plan cancelled" not in [piece["label"] for piece in clinic.table("adherence_timeline")]


def test_a_duration_that_cannot_be_read_leaves_the_plan_open(clinic: Clinic) -> None:
    clinic.plan([line(dosage={"duration": "until next appointment"})])
    row = clinic.row(AS_OF)
    assert (row["flags"], row["window_end"]) == (["duration_unparsed"], AS_OF + timedelta(days=1))


def test_no_refill_and_all_bought_is_supplied_as_recommended(clinic: Clinic) -> None:
    clinic.plan([line(refill=False, units_to_purchase=1)])
    clinic.order(START)
    assert clinic.row(AS_OF)["status"] == "supplied_as_recommended"
    assert clinic.row(START + timedelta(days=5))["status"] == "covered", "while it lasts it is simply covered"


def test_a_re_issued_plan_inherits_the_stock(clinic: Clinic) -> None:
    """240 capsules from 1 October at 2 a day: 41 days under the first plan, 79 under the second."""
    second = START + timedelta(days=41)
    clinic.plan([line()], state="cancelled", updated_on=second)
    clinic.plan([line()], plan_id="t2", on=second)
    clinic.order(START, "zinc-120", 2)
    first, again = clinic.rows(AS_OF)
    assert (first["pdc_min"], first["status"]) == (1, "plan_cancelled")
    assert (again["carry_in_units"], again["carry_in_days"], again["had_stock"]) == (240 - 82, 79, True)
    assert again["run_out_on"] == START + timedelta(days=120)
    assert "overlapping_plans" not in again["flags"]


def test_two_plans_at_once_share_one_supply_and_the_later_dose(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.plan([line(dosage={"amount": "4"})], plan_id="t2", on=START + timedelta(days=10))
    clinic.order(START)
    rows = clinic.rows(AS_OF)
    # 10 days x 2, then 40 left at 4 a day: out after 20 days for both.
    assert [row["run_out_on"] for row in rows] == [START + timedelta(days=20)] * 2
    assert all("overlapping_plans" in row["flags"] for row in rows)


def test_a_later_plan_as_needed_leaves_the_first_without_a_figure(clinic: Clinic) -> None:
    """From its start nobody knows how fast the shared supply is used."""
    clinic.plan([line()])
    clinic.plan([line(dosage={"frequency": "as needed"})], plan_id="t2", on=START + timedelta(days=10))
    clinic.order(START)
    assert [row["measurable"] for row in clinic.rows(AS_OF)] == ["prn", "prn"]


def test_the_past_can_be_rebuilt(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START, "zinc-120")
    before = clinic.rows(LATER - timedelta(days=1))
    clinic.plan([line(dosage={"amount": "4"})], seen=LATER)
    clinic.plan([line(dosage={"amount": "4"})], state="cancelled", seen=LATER + timedelta(days=3))
    clinic.plan([line()], plan_id="new", on=LATER, seen=LATER)
    clinic.order(LATER)
    assert clinic.rows(AS_OF) != before
    assert clinic.rows(LATER - timedelta(days=1)) == before


def test_one_patients_rebuild_leaves_the_others_and_equals_a_full_one(clinic: Clinic) -> None:
    for patient in ("p1", "p2", "p3"):
        clinic.plan([line()], plan_id=f"plan-{patient}", patient_id=patient)
        clinic.order(START, patient_id=patient)
    whole = clinic.rows(AS_OF)
    clinic.order(LATER, patient_id="p2")
    clinic.order(LATER, patient_id="p3")
    part = clinic.rows(AS_OF, patient_ids=["p2"])
    assert [row["orders"] for row in part] == [1, 2, 1]
    assert part[0] == whole[0] and part[2] == whole[2]
    assert clinic.rows(AS_OF)[1] == part[1]
    assert clinic.rows(AS_OF, patient_ids=[]) == clinic.table("adherence"), "nobody touched, nothing changed"


def test_a_clinic_holds_one_day_and_other_clinics_are_left_alone(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.con.execute("INSERT INTO marts.adherence (clinic_id, patient_id) VALUES ('other', 'p1')")
    clinic.rows(AS_OF - timedelta(days=1))
    assert {(row["clinic_id"], row["as_of"]) for row in clinic.rows(AS_OF)} == {("c1", AS_OF), ("other", None)}


def test_the_timeline_tiles_the_window(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START + timedelta(days=3))
    clinic.order(START + timedelta(days=50))
    row = clinic.row(AS_OF)
    spans = sorted(
        (piece["start_on"], piece["end_on"])
        for piece in clinic.table("adherence_timeline")
        if piece["kind"] in ("covered", "gap")
    )
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (row["window_start"], row["window_end"])
    gaps = clinic.table("adherence_gaps")
    assert [(gap["gap_days"], gap["is_open"]) for gap in gaps] == [(3, False), (17, False), (42, True)]
    assert row["gap_days"] == 62 and row["longest_gap_days"] == 42


def test_nothing_is_left_behind_in_the_connection(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.rows(AS_OF)
    assert clinic.con.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchone() == (0,)


def test_an_empty_clinic(clinic: Clinic) -> None:
    assert clinic.rows(AS_OF) == []


# A day that nobody can mean: long before the vendor, or so far ahead that no plan is made for it.
IMPLAUSIBLE = [date(1, 1, 1), date(1970, 1, 1), date(1999, 12, 31), date(2200, 1, 1)]


@pytest.mark.parametrize("sentinel", IMPLAUSIBLE)
def test_a_start_that_nobody_can_mean_is_none(clinic: Clinic, sentinel: date) -> None:
    clinic.plan([line()], on=date(2025, 10, 1), available_at=sentinel)
    clinic.order(date(2025, 10, 1))
    row = clinic.row(date(2026, 1, 20))
    assert (row["window_start"], row["flags"]) == (date(2025, 10, 1), ["implausible_date"])
    clinic.plan([line()], plan_id="t2", patient_id="p2", on=sentinel, available_at=date(2025, 11, 1))
    clinic.plan([line()], plan_id="t3", patient_id="p3", on=sentinel, seen=date(2026, 1, 12))
    starts = {row["treatment_plan_id"]: row["window_start"] for row in clinic.rows(date(2026, 1, 20))}
    assert starts == {"t1": date(2025, 10, 1), "t2": date(2025, 11, 1), "t3": date(2026, 1, 12)}


@pytest.mark.parametrize("sentinel", IMPLAUSIBLE)
def test_an_end_that_nobody_can_mean_is_none(clinic: Clinic, sentinel: date) -> None:
    clinic.plan([line()], state="cancelled", updated_on=sentinel)
    clinic.order(date(2025, 10, 1))
    row = clinic.row(date(2026, 1, 20))
    assert (row["window_end"], row["status"], row["flags"]) == (FIRST_PULL, "plan_cancelled", ["implausible_date"])


def test_a_date_that_cannot_be_read_is_none_and_says_so(clinic: Clinic) -> None:
    clinic.plan([line()], available_at=None, extra='{"available_at": "next week"}')
    clinic.order(date(2025, 10, 1))
    row = clinic.row(date(2026, 1, 20))
    assert (row["window_start"], row["flags"]) == (date(2025, 10, 1), ["implausible_date"])
