"""Times are read in every form that a server may use, and only with an offset."""

from datetime import UTC, datetime

import pytest

from fullscript_pipeline.probe.date_filters import read_time
from fullscript_pipeline.probe.event_feeds import order_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-11-02T12:00:00.000Z", "2026-11-02T07:00:00-05:00", "2026-11-02 07:00:00 -0500", "2026-11-02 12:00:00 UTC"],
)
def test_a_time_is_read(text: str) -> None:
    assert read_time(text) == NOON


@pytest.mark.parametrize("value", ["2026-11-02T12:00:00", "", None, 5, "soon"])
def test_what_names_no_instant_is_no_time(value: object) -> None:
    assert read_time(value) is None


def test_the_order_of_a_feed() -> None:
    later = NOON.replace(hour=13)
    assert order_of([NOON, later], 2) == "oldest first"
    assert order_of([later, NOON], 2) == "newest first"
    assert order_of([NOON, NOON], 2) == "all at once"
    assert order_of([NOON], 2) == ""
