"""How dates, shares and quantities are written."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.reports.unit_names import units


def test_window_counts_its_last_day() -> None:
    assert formatting.window(ENGLISH, date(2026, 3, 1), date(2026, 11, 23)) == "1 Mar – 22 Nov 2026, 267 days"
    assert formatting.window(ENGLISH, date(2025, 12, 30), date(2026, 1, 2)) == "30 Dec 2025 – 1 Jan 2026, 3 days"
    assert formatting.window(ENGLISH, date(2026, 3, 1), date(2026, 3, 2)) == "1 Mar 2026, 1 day"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.7975, 0.7975, "79 %"),
        (0.8, 0.8, "80 %"),
        (0.29, 0.29, "29 %"),
        (0.9999, 0.9999, "99 %"),
        (1.0, 1.0, "100 %"),
        (1.3, 1.3, "100 %"),
        (0.0, 0.0, "0 %"),
        (0.004, 0.004, "less than 1 %"),
        (0.62, 0.93, "62–93 %"),
        (0.62, None, "at least 62 %"),
        (None, 0.62, "at most 62 %"),
        (None, None, None),
    ],
)
def test_shares_are_whole_and_never_rounded_up(low: float | None, high: float | None, said: str | None) -> None:
    assert formatting.share(ENGLISH, low, high) == said


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_percent_is_the_exact_floor(covered: int, days: int) -> None:
    """For any ratio of days, the page shows the floor of the exact ratio, whatever binary floats do to it."""
    covered = min(covered, days)
    assert formatting.percent(covered / days) == covered * 100 // days


def test_rates_are_exact_or_absent() -> None:
    assert formatting.rate("3/2") == Fraction(3, 2)
    assert formatting.exact(ENGLISH, Fraction(3, 2)) == "1.5"
    assert formatting.exact(ENGLISH, Fraction(2, 7)) == "2/7"
    assert [formatting.rate(value) for value in (None, "", "0", "-1", "x", "1/0")] == [None] * 6


def test_units_read_naturally() -> None:
    assert units(ENGLISH, 180, "capsule") == "180 capsules"
    assert units(ENGLISH, 1, "softgel") == "1 softgel"
    assert units(ENGLISH, 22.5, "mL") == "22.5 mL"
    assert units(ENGLISH, 1500, None) == "1,500 units"


@given(st.text())
def test_clean_text_cannot_reorder_its_surroundings(value: str) -> None:
    assert not set(formatting.clean(value)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b\x07")


def test_clean_keeps_what_names_need() -> None:
    assert formatting.clean("Zoë 👩‍⚕️ אבג\u200f") == "Zoë 👩‍⚕️ אבג\u200f"


def test_day_is_free_of_the_locale() -> None:
    assert ENGLISH.day(date(2026, 3, 1)) == "1 Mar 2026"
    assert ENGLISH.day(None) == "—"
    assert ENGLISH.day(date(2200, 12, 31) + timedelta(days=1)) == "1 Jan 2201"
