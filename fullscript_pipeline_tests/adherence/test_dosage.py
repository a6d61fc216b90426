"""Dosage texts and what they mean: the decided tables, units, refusals, and what the result is made of."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullscript_pipeline.adherence import parse_dosage
from fullscript_pipeline_tests.helpers.dosage_tables import NAMES, length, rate, read, table


@pytest.mark.parametrize("name", NAMES)
def test_every_decided_text_is_read_as_decided(name: str) -> None:
    rows = table(name)
    wrong = [(row.texts, row.right, rate(read(row))) for row in rows if rate(read(row)) not in row.right]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_lengths_and_flags_of_what_is_read_are_as_decided(name: str) -> None:
    wrong = []
    for row in table(name):
        dosage = read(row)
        if row.is_readable and dosage.status in ("ok", "open_range"):
            got = (length(dosage), bool(dosage.flags))
            if got != (row.length, row.is_flagged):
                wrong.append((row.texts, row.length, got))
    assert wrong == []


def test_at_least_three_hundred_whole_dosages_are_decided() -> None:
    assert len({row.texts for name in NAMES[1:] for row in table(name)}) >= 600


@pytest.mark.parametrize("field", ["amount", "frequency", "duration", "additional_info"])
@pytest.mark.parametrize("phrase", ["as needed", "au besoin", "PRN"])
def test_as_needed_in_any_field_makes_the_dosage_prn(field: str, phrase: str) -> None:
    texts = {"amount": "1", "frequency": "twice per day", "duration": "1 week", "additional_info": "with food"}
    dosage = parse_dosage(**(texts | {field: f"{texts[field]}, {phrase}"}))
    assert (dosage.status, dosage.units_per_day_min, dosage.units_per_day_max) == ("prn", None, None)
    assert dosage.duration_kind == ("as_needed" if field == "duration" else "finite")


def test_not_as_needed_is_not_as_needed() -> None:
    assert parse_dosage("1 capsule", "daily, not as needed").status == "unparsable"


@pytest.mark.parametrize(
    ("amount", "format", "unit", "why"),
    [
        ("2", "capsules", "capsule", "the format is the unit"),
        ("2", "Vegetarian Capsules", "capsule", "an adjective does not change how it is counted"),
        ("2", "delayed-release vegetarian capsules", "capsule", "nor do two"),
        ("1", "Sublingual Tablets", "tablet", "nor does where it melts"),
        ("1", "chewable tablets", "tablet", "nor what to do with it"),
        ("2 caps", "capsule", "capsule", "both say the same"),
        ("2 gélules", "capsule", "capsule", "in two languages"),
        ("1 c. à soupe", "powder", "tablespoon", "in Quebec"),
        ("1 tsp", "powder", "teaspoon", "a powder is no unit, the amount's own unit counts"),
        ("5 g", "powder", "gram", "a weighed powder"),
        ("2 pills", "tablet", "tablet", "a pill is whatever is swallowed whole"),
        ("500", "mg", "milligram", "the format itself is a weight; what the pack is decides"),
        ("1", None, None, "no unit is said"),
    ],
)
def test_units(amount: str, format: str | None, unit: str | None, why: str) -> None:
    dosage = parse_dosage(amount, "once per day", None, format)
    assert (dosage.status, dosage.unit) == ("ok", unit), why


@pytest.mark.parametrize(
    ("amount", "format", "why"),
    [
        ("500 mg", "capsule", "a strength: how many capsules is not said"),
        ("500 mg", "powder", "milligrams of what is inside"),
        ("2 capsules", "tablets", "two units that contradict each other"),
        ("1 tsp", "mL", "two volumes that contradict each other"),
        ("1000", "IU", "a strength"),
        ("1,000", "capsule", "a thousand or one"),
        ("1 500 mg", "capsule", "1 of 500 mg, or 1,500 mg"),
    ],
)
def test_units_that_leave_doubt(amount: str, format: str, why: str) -> None:
    dosage = parse_dosage(amount, "once per day", None, format)
    assert dosage.status == "unparsable", why
    assert dosage.reason, "the reason is said"


def test_a_refusal_quotes_what_is_written_and_names_what_was_not_understood() -> None:
    dosage = parse_dosage("1 Tablet (12.5 mg)", "Once per Day with Stardust", "2 weeks")
    assert dosage.status == "unparsable"
    assert dosage.reason == '"Stardust" is not understood (the frequency "Once per Day with Stardust")'
    assert (dosage.not_understood, dosage.problem) == (("Stardust",), '"Stardust" is not understood')
    assert (dosage.duration_kind, dosage.duration_days) == ("finite", 14)
    twice = parse_dosage("1-2", "1-2 daily")
    assert twice.reason == 'the count may be said twice (the amount "1-2", the frequency "1-2 daily")'


def test_a_bracket_with_a_strength_changes_nothing_and_is_never_misquoted() -> None:
    assert rate(parse_dosage("1 tablet (12.5 mg)", "daily")) == "1"
    refused = parse_dosage("1 tablet (12.5 moons)", "daily")
    assert refused.reason == '"moons" is not understood (the amount "1 tablet (12.5 moons)")'
    several = parse_dosage("1 tablet", "once per day, blah  blah, or zap")
    assert several.problem == '"blah  blah" and "zap" are not understood'


@pytest.mark.parametrize("text", ["once per day " * 20, "1" * 300])
def test_a_text_that_is_too_long_is_refused(text: str) -> None:
    assert parse_dosage(text, "daily").status == "unparsable"
    assert parse_dosage("1", text).status == "unparsable"


def test_ranges_multiply_end_by_end() -> None:
    assert rate(parse_dosage("1-2", "2-3 times per day")) == "2..6"


def test_a_count_that_may_repeat_the_amount_is_doubtful() -> None:
    assert parse_dosage("2", "2 per day").status == "unparsable"
    assert rate(parse_dosage("2", "3 per week")) == "6/7"


def test_a_duration_inside_the_frequency_counts_when_it_contradicts_nothing() -> None:
    assert parse_dosage("1", "once daily for 14 days").duration_days == 14
    assert parse_dosage("1", "once daily x 2 weeks", "14 days").duration_days == 14
    assert parse_dosage("1", "once daily for 14 days", "1 month").status == "unparsable"


def test_assumptions_are_reported() -> None:
    dosage = parse_dosage("1", "with each meal", "2 months")
    assert dosage.assumptions == ("there are three meals a day", "a month is 30 days")
    assert parse_dosage("1", "twice per day", "10 days").assumptions == ()


@pytest.mark.parametrize(
    ("info", "is_flagged"),
    [
        ("Take 3 capsules twice daily for colds", True),
        ("5 days on, 2 days off", True),
        ("Increase to 2 after a week", True),
        ("for 3 months", True),
        ("Stop if a rash occurs", True),
        ("Take 1 capsule once per day", False),
        ("with 8 oz of water, 30 minutes before food", False),
        ("In the morning. Keep refrigerated.", False),
        ("Contact the clinic with any questions!", False),
        (None, False),
    ],
)
def test_additional_information_raises_a_flag_and_never_changes_the_rate(info: str | None, is_flagged: bool) -> None:
    dosage = parse_dosage("1", "once per day", None, "capsule", info)
    assert (rate(dosage), dosage.flags) == ("1", ("conflicting_text",) if is_flagged else ())


NUMBERS = st.one_of(
    st.integers(1, 999).map(str),
    st.integers(1, 9999).map(lambda n: f"{n // 100}.{n % 100:02d}").filter(lambda text: float(text) > 0),
    st.tuples(st.integers(1, 9), st.integers(2, 9)).filter(lambda ab: ab[0] < ab[1]).map(lambda ab: f"{ab[0]}/{ab[1]}"),
)


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from(["-", " - ", "–", " — ", " to ", " or ", " à "]))
def test_every_range_is_read_exactly_or_refused(first: str, second: str, between: str) -> None:
    dosage = parse_dosage(f"{first}{between}{second}", "once per day")
    low, high = Fraction(first), Fraction(second)
    # "1-1/2" is read as a mixed number by people: only a rising range is clear.
    if low <= high:
        assert (dosage.units_per_day_min, dosage.units_per_day_max) == (low, high)
    else:
        assert dosage.status == "unparsable"


@settings(deadline=None)
@given(st.integers(1, 24), st.sampled_from([("day", 1), ("week", 7), ("month", 30), ("semaine", 7)]), NUMBERS)
def test_times_per_period_is_exact(times: int, period: tuple[str, int], amount: str) -> None:
    dosage = parse_dosage(amount, f"{times} times per {period[0]}")
    assert dosage.units_per_day_max == Fraction(amount) * Fraction(times, period[1])
