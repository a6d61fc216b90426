"""When a day's snapshot may be taken, and how the demo's clock is read."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.errors import ConfigurationError

TORONTO = ZoneInfo("America/Toronto")


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-11-21T23:59:59", False),
        ("2026-11-22T00:00:00", True),
        ("2026-11-22T23:59:59", True),
        ("2026-11-23T05:59:59", True),
        ("2026-11-23T06:00:00", False),
    ],
)
def test_a_cell_is_open_on_its_day_and_until_six_the_next_morning(local: str, is_open: bool) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=TORONTO)
    assert clock.cell_is_open(date(2026, 11, 22), TORONTO, moment) is is_open


def test_the_night_the_clocks_change_is_no_exception() -> None:
    five = datetime(2026, 11, 2, 5, 59, tzinfo=TORONTO)
    assert clock.cell_is_open(date(2026, 11, 1), TORONTO, five)
    assert not clock.cell_is_open(date(2026, 11, 1), TORONTO, five + timedelta(minutes=1))


@pytest.mark.parametrize("text", ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00", "2026-11-22T07:00:00-05:00"])
def test_the_demos_clock_is_read_with_or_without_an_offset(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", text)
    assert clock.now() == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_clock_that_is_no_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "noon")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_NOW"):
        clock.now()


def test_real_time_does_not_follow_the_demos_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2001-01-01T00:00:00Z")
    assert clock.real_now().year > 2020
