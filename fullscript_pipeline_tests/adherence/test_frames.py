"""`measure` as the contract states it: its columns, what it accepts, hand-made cases, and what bad input does."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullscript_pipeline.adherence import measure
from fullscript_pipeline.adherence.frames import calendar_date, exact
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.settings import AdherencePolicy

CONTRACT = [
    *("patient_id", "treatment_plan_id", "product_id", "window_start", "window_end", "window_days"),
    *("pdc_min", "pdc_max", "pdc_since_first_order", "cma1", "cma2", "cma5", "on_hand_days", "run_out_on"),
    *("longest_gap_days", "initiation_delay_days", "status"),
]


def plan(**values: Any) -> dict[str, Any]:
    """2 units a day from 1 January 2025, open-ended."""
    start = values.get("start", "2025-01-01")
    return {
        "patient_id": "p",
        "treatment_plan_id": "t",
        "product_id": "x",
        "start": start,
        "end": None,
        "dose_from": start,
        "units_per_day_min": 2,
        "units_per_day_max": 2,
    } | values


def fills(*bought: tuple[object, object]) -> pd.DataFrame:
    return pd.DataFrame(
        [("p", "x", on, units) for on, units in bought], columns=["patient_id", "product_id", "filled_on", "units"]
    )


def one(recommendation: dict[str, Any], *bought: tuple[object, object], as_of: object = "2025-04-11") -> dict[str, Any]:
    """The single row; the window is 100 days by default."""
    result = measure(pd.DataFrame([recommendation]), fills(*bought), as_of)
    (row,) = result.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_the_contract_columns_come_first() -> None:
    result = measure(pd.DataFrame([plan()]), fills(("2025-01-01", 60)), "2025-04-11")
    assert list(result.columns[: len(CONTRACT)]) == CONTRACT


def test_every_measure_of_one_history_by_hand() -> None:
    """20 units (10 days) bought 5 days before; then 60 (30 days) on day 10 and 60 on day 60 of 100."""
    row = one(plan(), ("2024-12-27", 20), ("2025-01-11", 60), ("2025-03-02", 60))
    assert row["carry_in_days"] == 5
    assert row["pdc_min"] == row["pdc_max"] == (5 + 30 + 30) / 100
    assert row["initiation_delay_days"] == 10
    assert row["pdc_since_first_order"] == 60 / 90
    assert row["cma1"] == row["cma5"] == 30 / 50
    assert row["cma2"] == 60 / 90
    assert row["supply_ratio"] == 0.65
    assert row["longest_gap_days"] == 20
    assert row["run_out_on"] == pd.Timestamp("2025-04-01")
    assert (row["status"], row["on_hand_days"], row["adherent"]) == ("out_of_supply", 0, "no")


def test_stock_left_over_does_not_count_twice() -> None:
    """60 days bought, 60 more on day 10: nothing is lost, nothing counts twice; 100 days are covered, 20 left."""
    row = one(plan(), ("2025-01-01", 120), ("2025-01-11", 120))
    assert (row["pdc_min"], row["on_hand_days"], row["run_out_on"]) == (1, 20, pd.Timestamp("2025-05-01"))
    assert row["cma1"] == 6, "MPR may exceed 1"


def test_one_fill_in_a_year_is_not_full_coverage() -> None:
    """The end of cover is not the end of the window."""
    assert one(plan(), ("2025-01-01", 60), as_of="2026-01-01")["pdc_since_first_order"] == 30 / 365


def test_a_fill_on_the_end_is_ignored() -> None:
    row = one(plan(end="2025-02-01"), ("2025-02-01", 60))
    assert (row["orders"], row["pdc_min"], row["window_days"]) == (0, 0, 31)


@pytest.mark.parametrize(("gap", "episodes"), [(30, 1), (31, 2)])
def test_a_gap_exactly_as_long_as_permitted_does_not_end_an_episode(gap: int, episodes: int) -> None:
    second = date(2025, 1, 11) + pd.Timedelta(days=gap)
    assert one(plan(), ("2025-01-01", 20), (second, 60))["episodes"] == episodes


@pytest.mark.parametrize(("as_of", "status"), [("2025-01-31", "never_ordered"), ("2025-01-30", "awaiting_first_order")])
def test_thirty_days_without_an_order_are_never_ordered(as_of: str, status: str) -> None:
    row = one(plan(), as_of=as_of)
    assert (row["status"], row["pdc_min"]) == (status, 0)
    assert pd.isna(row["initiation_delay_days"])


@pytest.mark.parametrize("end", ["2025-01-01", "2024-12-01"])
def test_a_plan_that_ends_before_it_starts_has_no_figure(end: str) -> None:
    row = one(plan(end=end), ("2025-01-01", 60))
    assert row["status"] == "not_started"
    assert all(pd.isna(row[name]) for name in ("pdc_min", "pdc_max", "on_hand_days", "run_out_on", "window_end"))


@pytest.mark.parametrize("as_of", ["2025-01-01", "2024-06-01"])
def test_a_plan_of_the_future_has_no_figure(as_of: str) -> None:
    assert one(plan(), as_of=as_of)["status"] == "not_started"


@pytest.mark.parametrize("dose", [0, -1, None, float("nan"), "two", "1/0", float("inf")])
def test_a_dose_that_is_none_is_not_measurable(dose: object) -> None:
    row = one(plan(units_per_day_min=dose, units_per_day_max=dose), ("2025-01-01", 60))
    assert (row["status"], row["measurable"]) == ("not_measurable", "unparsable_dosage")
    assert pd.isna(row["pdc_min"])


def test_a_falling_range_is_not_measurable() -> None:
    assert one(plan(units_per_day_min=3), ("2025-01-01", 60))["status"] == "not_measurable"


def test_only_a_largest_dose_gives_only_the_lower_bound() -> None:
    row = one(plan(units_per_day_min=None), ("2025-01-01", 60))
    assert (row["measurable"], row["status"], row["pdc_min"]) == ("open_range", "not_measurable", 0.3)
    assert pd.isna(row["pdc_max"])


def test_only_a_smallest_dose_gives_only_the_upper_bound() -> None:
    row = one(plan(units_per_day_max=None), ("2025-01-01", 60))
    assert (row["measurable"], row["status"], row["pdc_max"]) == ("open_range", "not_measurable", 0.3)
    assert pd.isna(row["pdc_min"]) and pd.isna(row["adherent"])


def test_two_doses_from_one_day_are_no_dose_but_one_dose_twice_is() -> None:
    again = pd.DataFrame([plan(), plan()])
    assert measure(again, fills(("2025-01-01", 60)), "2025-04-11")["pdc_min"].to_list() == [0.3]
    unclear = pd.DataFrame([plan(), plan(units_per_day_min=1, units_per_day_max=1)])
    assert measure(unclear, fills(("2025-01-01", 60)), "2025-04-11")["status"].to_list() == ["not_measurable"]


@pytest.mark.parametrize("units", [0, -60])
def test_a_fill_of_nothing_is_flagged_and_ignored(units: int) -> None:
    row = one(plan(), ("2025-01-01", units), ("2025-01-01", 60))
    assert (row["pdc_min"], row["orders"], list(row["flags"])) == (0.3, 1, ["invalid_quantity"])


def test_a_fill_of_unknown_units_leaves_no_figure() -> None:
    row = one(plan(), ("2025-01-01", None), ("2025-01-01", 60))
    assert (row["status"], row["measurable"], row["orders"]) == ("not_measurable", "missing_units", 2)


@pytest.mark.parametrize(
    ("dose", "units"), [(1, 1e30), (Fraction(1, 10**12), 60), ("1/99999999999999999999", 60), (1e18, 60)]
)
def test_numbers_beyond_all_bounds_never_fail_the_statement(dose: object, units: object) -> None:
    row = one(plan(units_per_day_min=dose, units_per_day_max=dose), ("2025-01-01", units))
    assert (row["measurable"], row["status"]) == ("out_of_bounds", "not_measurable")
    assert pd.isna(row["pdc_min"])


def test_numbers_within_bounds_are_exact() -> None:
    """A third of a unit a day: 7 units are 21 days; written as a float, a fraction, a text."""
    for dose in (1 / 3, Fraction(1, 3), "1/3"):
        row = one(plan(units_per_day_min=dose, units_per_day_max=dose), ("2025-01-01", Decimal(7)))
        assert row["pdc_min"] == 0.21


def test_no_fills_at_all_and_no_recommendations_at_all() -> None:
    assert one(plan())["status"] == "never_ordered"
    empty = pd.DataFrame(columns=list(plan()))
    result = measure(empty, fills(("2025-01-01", 60)), "2025-04-11")
    assert (len(result), list(result.columns[: len(CONTRACT)])) == (0, CONTRACT)


@pytest.mark.parametrize("missing", ["dose_from", "units_per_day_max"])
def test_a_missing_column_is_one_sentence(missing: str) -> None:
    with pytest.raises(UsageError, match=missing):
        measure(pd.DataFrame([plan()]).drop(columns=missing), fills(), "2025-04-11")


def test_a_date_that_is_none_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="not a date"):
        one(plan(start="soon"))
    with pytest.raises(UsageError, match="no start in row 0"):
        one(plan(start=None))
    with pytest.raises(UsageError, match="no filled_on in row 1"):
        one(plan(), ("2025-01-01", 60), (pd.NaT, 60))
    with pytest.raises(UsageError, match="as_of"):
        one(plan(), as_of=None)


@pytest.mark.parametrize(
    "value",
    [
        date(2025, 1, 31),
        datetime(2025, 1, 31, 23, 30),  # noqa: DTZ001 -- a naive time is what is tested
        pd.Timestamp("2025-01-31T23:30:00-05:00"),
        pd.Timestamp("2025-01-31").to_datetime64(),
        "2025-01-31",
        "2025-01-31T23:30:00-05:00",
        "2025-01-31T23:30:00Z",
    ],
)
def test_the_date_as_written_counts(value: object) -> None:
    assert calendar_date(value) == date(2025, 1, 31)


def test_columns_of_timestamps_are_read_as_written_too() -> None:
    recommendations = pd.DataFrame([plan()]).assign(
        start=pd.to_datetime(["2025-01-01T23:30:00"]).tz_localize("America/New_York"),
        dose_from=pd.to_datetime(["2025-01-01"]),
        end=pd.Series([pd.NaT], dtype="datetime64[ns]"),
    )
    bought = fills(("2025-01-01", 60)).assign(filled_on=pd.to_datetime(["2025-01-02T00:30:00"]))
    (row,) = measure(recommendations, bought, pd.Timestamp("2025-04-11")).to_dict("records")
    assert (row["window_start"], row["initiation_delay_days"]) == (pd.Timestamp("2025-01-01"), 1)


@pytest.mark.parametrize("given", ["7", 7.0])
def test_ids_may_be_numbers_and_come_back_as_they_were_given(given: str | float) -> None:
    bought = fills(("2025-01-01", 60)).assign(patient_id=given)
    (row,) = measure(pd.DataFrame([plan(patient_id=7)]), bought, "2025-04-11").to_dict("records")
    assert (row["patient_id"], row["pdc_min"]) == (7, 0.3)


def test_thresholds_are_settings() -> None:
    result = measure(
        pd.DataFrame([plan()]),
        fills(("2025-01-01", 60)),
        "2025-04-11",
        policy=AdherencePolicy(threshold=Fraction(3, 10)),
    )
    assert result["adherent"].to_list() == ["yes"]


@given(st.fractions(min_value=0, max_value=1000, max_denominator=10_000))
def test_floats_count_as_the_simplest_fraction_that_reads_the_same(value: Fraction) -> None:
    assert exact(float(value)) == value


@pytest.mark.check_all
@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 150), st.integers(1, 90)), max_size=30))
def test_patients_do_not_influence_each_other(bought: list[tuple[int, int, int]]) -> None:
    """What an event-driven recompute relies on: a part of the patients gives the same rows as all of them."""
    recommendations = pd.DataFrame([plan(patient_id=f"p{number}") for number in range(5)])
    supply = pd.DataFrame(
        [(f"p{who}", "x", pd.Timestamp("2024-12-01") + pd.Timedelta(days=day), units) for who, day, units in bought],
        columns=["patient_id", "product_id", "filled_on", "units"],
    )
    whole = measure(recommendations, supply, "2025-04-11").head(2)
    wanted = ["p0", "p1"]
    part = measure(
        recommendations[recommendations["patient_id"].isin(wanted)],
        supply[supply["patient_id"].isin(wanted)],
        "2025-04-11",
    )
    pd.testing.assert_frame_equal(whole, part, check_dtype=False)


@pytest.mark.parametrize("sentinel", ["0001-01-01", "1970-01-01", "1999-12-31", "2032-01-02", "9999-12-31"])
def test_a_date_that_nobody_can_mean_is_none(sentinel: str) -> None:
    key = {"patient_id": "p", "treatment_plan_id": "t", "product_id": "x", "end": None}
    dose = {"units_per_day_min": 1, "units_per_day_max": 1}
    fills = pd.DataFrame([{"patient_id": "p", "product_id": "x", "filled_on": "2026-11-01", "units": 30}])

    def row(**dates: str | None) -> Any:
        return measure(pd.DataFrame([{**key, **dose, **dates}]), fills, "2026-11-28").iloc[0]

    nothing = row(start=sentinel, dose_from=sentinel)
    assert (nothing["status"], nothing["flags"]) == ("not_started", ("implausible_date",))
    known = row(start=sentinel, dose_from="2026-11-01")
    assert (str(known["window_start"])[:10], known["pdc_min"]) == ("2026-11-01", 1.0)
    assert "implausible_date" in known["flags"]
    plain = row(start="2026-11-01", dose_from="2026-11-01")
    assert row(start="2026-11-01", dose_from=sentinel)["pdc_min"] == plain["pdc_min"]
    assert "implausible_date" not in plain["flags"]


def test_an_end_before_the_vendor_is_none_and_one_far_away_is_open() -> None:
    sentinel = "0001-01-01"
    plan: dict[str, Any] = {"patient_id": "p", "treatment_plan_id": "t", "product_id": "x", "start": "2026-11-01"}
    plan |= {"dose_from": None, "units_per_day_min": 1, "units_per_day_max": 1}
    fills = pd.DataFrame([{"patient_id": "p", "product_id": "x", "filled_on": "2026-11-01", "units": 30}])
    found = {
        end: measure(pd.DataFrame([{**plan, "end": end}]), fills, "2026-11-28").iloc[0]
        for end in (None, sentinel, "9999-12-31")
    }
    assert {one["window_days"] for one in found.values()} == {27}
    flagged = {end for end, one in found.items() if "implausible_date" in one["flags"]}
    assert flagged == {sentinel}
