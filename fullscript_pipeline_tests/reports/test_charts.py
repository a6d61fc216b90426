"""The drawing: within its box for any dates, one bar group per lane, small when crowded, described in words."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.reports.charts import WIDTH, Mark, ProductLane, SupplySpan, timeline

DAYS = st.dates(date(1970, 1, 1), date(2200, 1, 1))
SPANS = st.builds(
    lambda kind, start, length: SupplySpan(kind, start, start + timedelta(days=length)),
    st.sampled_from(["covered", "gap", "unmeasurable"]),
    DAYS,
    st.integers(1, 900),
)
LANES = st.lists(
    st.builds(
        ProductLane,
        st.text(max_size=30).filter(
            lambda label: not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", label)
        ),
        st.lists(SPANS, max_size=20),
        st.lists(st.builds(Mark, st.sampled_from(["order", "plan_change"]), DAYS), max_size=20),
    ),
    min_size=1,
    max_size=5,
)


@given(LANES, DAYS, st.integers(1, 4000))
def test_any_history_is_well_formed_and_inside_the_box(lanes: list[ProductLane], start: date, days: int) -> None:
    """Parsed as XML (labels with < & quotes included); no bar begins left or right of the drawing."""
    svg = ElementTree.fromstring(str(timeline(lanes, start, start + timedelta(days=days))))  # noqa: S314 -- our own
    assert [element.tag for element in svg][:2] == ["title", "desc"]
    for path in svg.iter("path"):
        for x in re.findall(r"M(-?[\d.]+) ", path.get("d", "")):
            assert 0 <= float(x) <= WIDTH
    assert len(list(svg.iter("pattern"))) == 1
    assert {f"b{number}" for number in range(len(lanes))} <= {group.get("id") for group in svg.iter("g")}


def _year(lanes: int, weeks: int) -> str:
    start = date(2025, 1, 1)
    days = [start + timedelta(days=14 * week) for week in range(weeks)]
    spans = [SupplySpan("covered", day, day + timedelta(days=7)) for day in days]
    spans += [SupplySpan("gap", day + timedelta(days=7), day + timedelta(days=14)) for day in days]
    lane = ProductLane("Zinc", spans, [Mark("order", day) for day in days])
    return str(timeline([lane] * lanes, start, start + timedelta(days=14 * weeks)))


def test_few_marks_are_drawn_one_by_one() -> None:
    svg = _year(lanes=1, weeks=5)
    assert "drawn in blocks" not in svg
    assert svg.count("l5 7-5 7-5-7z") == 5
    assert svg.count("h") > 10


def test_many_marks_are_drawn_in_blocks() -> None:
    """2,000 orders for one patient stay a small drawing, and half-covered months are half-height bars."""
    svg = _year(lanes=1, weeks=2000)
    assert "drawn in blocks" in svg
    assert len(svg) < 6_000
    assert "v6H" in svg


def test_the_axis_has_at_most_ten_labels() -> None:
    start = date(1990, 1, 1)
    for days in (1, 20, 70, 71, 200, 400, 1000, 4000, 20_000, 70_000):
        svg = str(timeline([ProductLane("x")], start, start + timedelta(days=days)))
        assert 1 <= svg.count('class="ax"') <= 12, days


def test_description_speaks_of_orders_and_gaps() -> None:
    assert "Zinc: 5 orders, 5 gaps" in _year(lanes=1, weeks=5)
