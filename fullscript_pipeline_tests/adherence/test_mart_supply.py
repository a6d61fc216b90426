"""marts.adherence: what counts as supply, in which unit, and what cannot be measured. The arithmetic is by hand."""

from datetime import date
from typing import Any

import pytest

from fullscript_pipeline.settings import AdherencePolicy
from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line

START = date(2025, 10, 1)
# Through the end of this day: a window of 100 days.
AS_OF = date(2026, 1, 8)


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def test_packs_of_one_product_are_one_supply(clinic: Clinic) -> None:
    """60 + 120 capsules at 2 a day are 90 days of 100."""
    clinic.plan([line()])
    clinic.order(START, "zinc-60")
    clinic.order(date(2025, 10, 15), "zinc-120")
    row = clinic.row(AS_OF)
    assert (row["window_start"], row["window_end"], row["window_days"]) == (START, date(2026, 1, 9), 100)
    assert (row["pdc_min"], row["pdc_max"], row["adherent"], row["status"]) == (0.9, 0.9, "yes", "out_of_supply")
    assert (row["run_out_on"], row["days_late"], row["units_supplied"]) == (date(2025, 12, 30), 10, 180)
    assert (row["orders"], row["last_order_on"], row["last_order_quantity"]) == (2, date(2025, 10, 15), 1)
    assert (row["unit"], row["units_per_day_max"], row["dosage_text"]) == (
        "capsule",
        "2",
        "2 capsule, once per day, Ongoing",
    )


def test_an_order_placed_today_counts_today(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(AS_OF)
    row = clinic.row(AS_OF)
    assert (row["status"], row["on_hand_days"], row["due_in_days"]) == ("covered", 29, 30)
    assert row["pdc_min"] == 0.01


def test_the_threshold_is_exact(clinic: Clinic) -> None:
    """80 of 100 days are adherent, 79.75 are not."""
    clinic.product("iron", {"iron-160": (160, "capsules"), "iron-159": ("159.5", "capsules")})
    clinic.plan([line("iron-160")])
    clinic.order(START, "iron-160")
    assert (clinic.row(AS_OF)["pdc_min"], clinic.row(AS_OF)["adherent"]) == (0.8, "yes")
    clinic.con.execute("UPDATE core.order_line_items SET variant_id = 'iron-159'")
    assert (clinic.row(AS_OF)["pdc_min"], clinic.row(AS_OF)["adherent"]) == (0.7975, "no")


def test_what_is_no_purchase_does_not_count(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START, is_refunded=True)
    clinic.order(START, removed_at="2025-10-02 00:00:00+00")
    clinic.order(START, line_type="labs")
    clinic.order(START, patient_id="somebody-else")
    row = clinic.row(AS_OF)
    assert (row["orders"], row["status"], row["pdc_min"], row["flags"]) == (0, "never_ordered", 0, [])


@pytest.mark.parametrize("quantity", [0, -3, None])
def test_a_quantity_that_is_none_is_flagged_and_ignored(clinic: Clinic, quantity: int | None) -> None:
    clinic.plan([line()])
    clinic.order(START, quantity=quantity)
    clinic.order(START, quantity=1)
    row = clinic.row(AS_OF)
    assert (row["orders"], row["units_supplied"], row["flags"]) == (1, 60, ["invalid_quantity"])


def test_two_lines_of_one_order_are_one_order(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START, "zinc-60", 2, order_id="o")
    clinic.order(START, "zinc-120", 1, order_id="o")
    row = clinic.row(AS_OF)
    assert (row["orders"], row["units_supplied"], row["last_order_quantity"]) == (1, 240, 3)


def test_the_date_is_the_one_written_in_the_orders_own_offset(clinic: Clinic) -> None:
    """2026-01-08T23:30-05:00 is 9 January in UTC and still counts on the 8th."""
    clinic.plan([line()])
    clinic.order(AS_OF, completed_at="2026-01-09 04:30:00+00")
    assert clinic.row(AS_OF)["first_order_on"] == AS_OF


def test_a_product_the_server_does_not_name_is_its_variant(clinic: Clinic) -> None:
    clinic.plan([line("strange")])
    clinic.order(START, "strange")
    row = clinic.row(AS_OF)
    assert (row["product_id"], row["measurable"], row["status"]) == (
        "variant:strange",
        "missing_units",
        "not_measurable",
    )


def test_delivery_lag_moves_every_fill(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.order(START)
    assert clinic.row(AS_OF, AdherencePolicy(delivery_lag_days=5))["initiation_delay_days"] == 5


DOSES: list[tuple[str, dict[str, str | None], tuple[object, str | None], dict[str, Any]]] = [
    (
        "240 mL at two teaspoons (10 mL) a day are 24 days",
        {"amount": "1", "frequency": "twice per day", "format": "tsp"},
        (8, "fl oz"),
        {"measurable": "ok", "pdc_min": 0.24, "unit": "teaspoon", "units_supplied": 48},
    ),
    (
        "an ounce beside a pack in millilitres is a fluid ounce: 300 / 30 = 10 days",
        {"amount": "1", "format": "ounce"},
        (300, "mL"),
        {"measurable": "ok", "pdc_min": 0.1},
    ),
    (
        "an ounce beside a pack in grams is a weight: 280 / 28 = 10 days",
        {"amount": "1", "format": "oz"},
        (280, "g"),
        {"measurable": "ok", "pdc_min": 0.1},
    ),
    (
        "90 capsules at 4 a day are 22.5 days, never rounded",
        {"amount": "4"},
        (90, "capsules"),
        {"measurable": "ok", "pdc_min": 0.225, "gap_days": 77.5},
    ),
    (
        "30 capsules at 1 to 2 a day: 15 to 30 days",
        {"amount": "1-2"},
        (30, "capsules"),
        {"measurable": "range", "pdc_min": 0.15, "pdc_max": 0.3, "adherent": "no", "units_per_day_min": "1"},
    ),
    (
        "90 to 180 days of 100: the verdict depends on the dose taken",
        {"amount": "1-2"},
        (150, "capsules"),
        {"measurable": "range", "status": "indeterminate", "pdc_min": 0.75, "pdc_max": 1, "adherent": "indeterminate"},
    ),
    (
        "up to 3: only the lower bound",
        {"amount": "up to 3"},
        (90, "capsules"),
        {"measurable": "open_range", "status": "not_measurable", "pdc_min": 0.3, "pdc_max": None, "adherent": None},
    ),
    (
        "at least 2: only the upper bound, 45 of 100 days",
        {"amount": "at least 2"},
        (90, "capsules"),
        {"measurable": "open_range", "status": "not_measurable", "pdc_min": None, "pdc_max": 0.45, "adherent": None},
    ),
    (
        "in French: 3 a day",
        {"amount": "1 gélule le matin et 2 le soir", "frequency": None},
        (90, "capsules"),
        {"measurable": "ok", "pdc_min": 0.3, "flags": []},
    ),
    (
        "another dose in the additional information is said beside the figures",
        {"amount": "3", "additional_info": "2 at breakfast on weekends"},
        (90, "capsules"),
        {"measurable": "ok", "pdc_min": 0.3, "flags": ["conflicting_text"]},
    ),
    (
        "as needed",
        {"additional_info": "as needed"},
        (60, "capsules"),
        {"measurable": "prn", "status": "as_needed", "pdc_min": None},
    ),
    (
        "text only",
        {"amount": None, "frequency": None},
        (60, "capsules"),
        {"measurable": "unparsable_dosage", "status": "not_measurable", "pdc_min": None},
    ),
    (
        "a strength against a counted pack",
        {"amount": "500", "format": "mg"},
        (60, "capsules"),
        {"measurable": "unparsable_dosage", "pdc_min": None},
    ),
    (
        "a pack without a number of units",
        {},
        (None, "capsules"),
        {"measurable": "missing_units", "status": "not_measurable", "pdc_min": None, "orders": 1},
    ),
    ("a pack without a unit", {}, (60, None), {"measurable": "missing_units", "pdc_min": None}),
    ("drops against millilitres", {"format": "drop"}, (30, "mL"), {"measurable": "unit_mismatch", "pdc_min": None}),
    ("scoops against grams", {"format": "scoop"}, (300, "g"), {"measurable": "unit_mismatch", "pdc_min": None}),
    ("capsules against tablets", {}, (60, "tablets"), {"measurable": "unit_mismatch", "pdc_min": None}),
    (
        "a dose without a unit counts what the pack holds",
        {"format": None},
        (60, "capsules"),
        {"measurable": "ok", "unit": "capsule", "flags": ["assumed_unit"]},
    ),
    (
        "more than anybody takes at a time",
        {"amount": "13", "format": None},
        (60, "capsules"),
        {"measurable": "unit_mismatch"},
    ),
    ("but not of a powder", {"format": None}, (300, "g"), {"measurable": "unit_mismatch", "pdc_min": None}),
    (
        "nor beside a strength",
        {"format": None, "additional_info": "500 mg each"},
        (60, "capsules"),
        {"measurable": "unit_mismatch", "pdc_min": None},
    ),
    ("a powder is no unit", {"format": "powder"}, (300, "powder"), {"measurable": "unit_mismatch", "pdc_min": None}),
    (
        "one pack lasts 2 days",
        {"amount": "30"},
        (60, "capsules"),
        {"measurable": "ok", "pdc_min": 0.02, "flags": ["implausible_supply"]},
    ),
    (
        "a million-unit pack",
        {"amount": "1"},
        (1_000_000, "capsules"),
        {"measurable": "ok", "pdc_min": 1, "on_hand_days": 999_900, "flags": ["implausible_supply"]},
    ),
    (
        "a pack beyond all bounds",
        {},
        (99_999_999_999, "capsules"),
        {"measurable": "out_of_bounds", "status": "not_measurable", "pdc_min": None, "flags": ["out_of_bounds"]},
    ),
]


@pytest.fixture(scope="module")
def dosed() -> dict[str, dict[str, Any]]:
    """All of them in one clinic, a patient and a product each: one rebuild for the whole table."""
    clinic = Clinic()
    for why, dosage, pack, _ in DOSES:
        clinic.product(why, {f"pack {why}": pack})
        clinic.plan([line(f"pack {why}", dosage)], plan_id=why, patient_id=why)
        clinic.order(START, f"pack {why}", patient_id=why)
    return {row["patient_id"]: row for row in clinic.rows(AS_OF)}


@pytest.mark.parametrize(("why", "expected"), [(row[0], row[3]) for row in DOSES], ids=[row[0] for row in DOSES])
def test_doses_and_packs(dosed: dict[str, dict[str, Any]], why: str, expected: dict[str, Any]) -> None:
    row = dosed[why]
    assert {name: row[name] for name in expected} == expected
    assert (row["reason"] is None) == (row["measurable"] in ("ok", "range")), "what cannot be measured says why"


@pytest.mark.parametrize("frequency", [None, "up to twice per day"])
def test_never_ordered_is_decidable_without_a_dose(clinic: Clinic, frequency: str | None) -> None:
    clinic.plan([line(dosage={"frequency": frequency})])
    row = clinic.row(AS_OF)
    assert (row["status"], row["pdc_max"], row["adherent"]) == ("never_ordered", None, None)


def test_as_needed_and_not_ordered_is_a_status_of_its_own_and_never_late(clinic: Clinic) -> None:
    clinic.plan([line(dosage={"frequency": "as needed"})])
    assert (clinic.row(AS_OF)["status"], clinic.row(AS_OF)["adherent"]) == ("as_needed_not_ordered", None)
    clinic.order(START)
    row = clinic.row(AS_OF)
    assert (row["status"], row["last_order_on"], row["days_late"]) == ("as_needed", START, None)


def test_two_lines_of_one_product_add_up(clinic: Clinic) -> None:
    """1 in the morning and 2 in the evening: 3 a day, 60 capsules are 20 days of 100."""
    clinic.plan([line(dosage={"amount": "1"}), line("zinc-120", {"amount": "2"})])
    clinic.order(START)
    row = clinic.row(AS_OF)
    assert (row["units_per_day_max"], row["pdc_min"], row["flags"]) == ("3", 0.2, ["several_lines"])
    assert row["variant_ids"] == ["zinc-120", "zinc-60"]


def test_phases_of_one_product_add_up_where_they_overlap(clinic: Clinic) -> None:
    """3 a day for 10 days, then 1 a day: 60 capsules last 10 + 30 days."""
    clinic.plan([line(dosage={"amount": "2", "duration": "10 days"}), line(dosage={"amount": "1"})])
    clinic.order(START)
    row = clinic.row(AS_OF)
    assert (row["pdc_min"], row["units_per_day_max"]) == (0.4, "1")


def test_teaspoons_and_millilitres_of_one_product_are_added_in_the_packs_unit(clinic: Clinic) -> None:
    """5 mL and 10 mL a day: 300 mL are 20 days."""
    clinic.product("oil", {"oil": (300, "mL")})
    clinic.plan([line("oil", {"amount": "1", "format": "tsp"}), line("oil", {"amount": "10", "format": "mL"})])
    clinic.order(START, "oil")
    row = clinic.row(AS_OF)
    assert (row["pdc_min"], row["units_per_day_max"], row["units_supplied"]) == (0.2, "15", 300)


def test_sixty_products_in_one_plan(clinic: Clinic) -> None:
    for number in range(60):
        clinic.product(f"p{number}", {f"v{number}": (60, "capsules")})
    clinic.plan([line(f"v{number}") for number in range(60)])
    assert len(clinic.rows(AS_OF)) == 60


def test_two_thousand_orders_of_one_patient(clinic: Clinic) -> None:
    clinic.plan([line()])
    clinic.con.execute(
        "INSERT INTO core.orders (clinic_id, order_id, patient_id, completed_on, is_refunded) "
        "SELECT 'c1', 'n' || n, 'p1', DATE '2025-10-01' + (n % 90)::INTEGER, false FROM range(2000) t(n)"
    )
    clinic.con.execute(
        "INSERT INTO core.order_line_items (clinic_id, order_id, position, variant_id, quantity, line_type) "
        "SELECT 'c1', 'n' || n, 0, 'zinc-60', 1, 'supplement' FROM range(2000) t(n)"
    )
    row = clinic.row(AS_OF)
    assert (row["orders"], row["pdc_min"], row["on_hand_units"]) == (2000, 1, 2000 * 60 - 200)


def test_a_long_history_is_counted(clinic: Clinic) -> None:
    start = date(2000, 1, 1)
    clinic.plan([line()], on=start)
    clinic.order(start)
    (row,) = clinic.rows(AS_OF)
    assert (row["pdc_min"], row["flags"]) == (30 / (date(2026, 1, 9) - start).days, [])


def test_an_order_without_a_time_makes_nothing_late_nor_never_ordered(clinic: Clinic) -> None:
    """It is no fill, and where it could be what is missing nobody can tell."""
    clinic.plan([line()])
    clinic.order(None)
    row = clinic.row(AS_OF)
    assert (row["status"], row["orders"], row["flags"]) == ("not_measurable", 0, ["undated_order"])
    assert (row["pdc_min"], row["adherent"], row["days_late"]) == (0, "indeterminate", None)
    assert row["reason"] == "an order of it has no date"
    clinic.order(START)
    assert (clinic.row(AS_OF)["status"], clinic.row(AS_OF)["days_late"]) == ("not_measurable", None)
    clinic.order(AS_OF)
    assert (clinic.row(AS_OF)["status"], clinic.row(AS_OF)["flags"]) == ("covered", ["undated_order"])


def test_an_undated_order_that_was_refunded_or_is_of_another_product_changes_nothing(clinic: Clinic) -> None:
    clinic.product("iron", {"iron-60": (60, "capsules")})
    clinic.plan([line()])
    clinic.order(None, is_refunded=True)
    clinic.order(None, "iron-60")
    clinic.order(None, quantity=0)
    assert (clinic.row(AS_OF)["status"], clinic.row(AS_OF)["flags"]) == ("never_ordered", [])


@pytest.mark.parametrize(
    ("odd", "status"),
    [
        ({"refill": None, "extra": '{"refill": "perhaps"}'}, "not_measurable"),
        ({"refill": False, "units_to_purchase": None, "extra": '{"units_to_purchase": "some"}'}, "not_measurable"),
        # More is wanted, whatever the refill says.
        ({"refill": None, "extra": '{"refill": "perhaps"}', "units_to_purchase": 3}, "out_of_supply"),
        ({"refill": True, "units_to_purchase": None, "extra": '{"units_to_purchase": "some"}'}, "out_of_supply"),
        # Said, or not written at all.
        ({"refill": False}, "supplied_as_recommended"),
        ({"refill": None}, "out_of_supply"),
    ],
)
def test_a_refill_that_cannot_be_read_makes_nothing_late(clinic: Clinic, odd: dict[str, Any], status: str) -> None:
    clinic.plan([line(**odd)])
    clinic.order(START)
    row = clinic.row(AS_OF)
    assert (row["status"], row["pdc_min"]) == (status, 0.3)
    assert row["flags"] == (["refill_unread"] if "extra" in odd else [])
    assert (row["days_late"] is None) is (status != "out_of_supply")


def test_one_line_without_a_readable_refill_decides_for_no_other(clinic: Clinic) -> None:
    clinic.plan([line(refill=None, extra='{"refill": "perhaps"}'), line(refill=False)])
    clinic.order(START, quantity=2)
    row = clinic.row(AS_OF)
    assert (row["status"], row["refill"], row["flags"]) == ("not_measurable", None, ["refill_unread", "several_lines"])
