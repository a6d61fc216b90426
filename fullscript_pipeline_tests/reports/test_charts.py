"""The drawing: within its box for any dates, as many days painted as are covered, small when crowded, said in words."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.reports.chart_axis import WIDTH
from fullscript_pipeline.reports.charts import BAR, Change, ProductLane, SupplySpan, scale_of, timeline
from fullscript_pipeline.reports.language import ENGLISH, page_language

DAYS = st.dates(date(1970, 1, 1), date(2200, 1, 1))
SPANS = st.builds(
    lambda kind, start, length: SupplySpan(kind=kind, start=start, end=start + timedelta(days=length)),
    st.sampled_from(["covered", "gap", "unmeasurable"]),
    DAYS,
    st.integers(1, 900),
)
LABELS = st.text(max_size=30).filter(
    lambda label: not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", label)
)
LANES = st.lists(
    st.builds(
        ProductLane,
        label=LABELS,
        spans=st.lists(SPANS, max_size=20),
        orders=st.lists(DAYS, max_size=20),
        changes=st.lists(st.builds(Change, on=DAYS, label=LABELS), max_size=20),
    ),
    min_size=1,
    max_size=5,
)


@given(LANES, DAYS, st.integers(1, 4000))
def test_any_history_is_well_formed_and_inside_the_box(lanes: list[ProductLane], start: date, days: int) -> None:
    """Parsed as XML (labels with < & quotes included); no bar begins left or right of the drawing."""
    drawing = timeline(lanes, start, start + timedelta(days=days), ENGLISH)
    svg = ElementTree.fromstring(str(drawing))  # noqa: S314 -- our own
    assert [element.tag for element in svg][:2] == ["title", "desc"]
    for path in svg.iter("path"):
        for x in re.findall(r"M(-?[\d.]+) ", path.get("d", "")):
            assert 0 <= float(x) <= WIDTH
    assert len(list(svg.iter("pattern"))) == 1


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[ProductLane], date]:
    """Lanes of alternating covered days and gaps, each with its own first and last day, and many orders."""
    start = date(2020, 1, 1)
    lanes = []
    for number in range(draw(st.integers(1, 4))):
        day = start + timedelta(days=draw(st.integers(0, 700)))
        spans, orders = [], []
        for kind, length in draw(st.lists(st.tuples(st.sampled_from(["covered", "gap"]), st.integers(1, 60)))):
            spans.append(SupplySpan(kind=kind, start=day, end=day + timedelta(days=length)))
            orders.append(day)
            day += timedelta(days=length)
        lanes.append(ProductLane(label=f"Lane {number}", spans=spans, orders=orders))
    return lanes, start + timedelta(days=draw(st.integers(1, 1200)))


@given(histories(), st.sampled_from([5, 60]))
def test_the_days_painted_are_the_days_covered(history: tuple[list[ProductLane], date], most_marks: int) -> None:
    """To one day, for every lane, one by one and in blocks; and nothing is painted outside the lane's own days."""
    lanes, end = history
    scale = scale_of(lanes, date(2020, 1, 1), end)
    drawing = timeline(lanes, date(2020, 1, 1), end, ENGLISH, most_marks=most_marks)
    groups = [group for group in ElementTree.fromstring(str(drawing)) if group.tag == "g"]  # noqa: S314 -- our own
    for lane, group in zip(lanes, groups, strict=True):
        clipped = [(scale.x_of(span.start), scale.x_of(span.end)) for span in lane.spans]
        covered = sum(
            (scale.x_of(span.end) - scale.x_of(span.start)) * scale.days / WIDTH
            for span in lane.spans
            if span.kind == "covered"
        )
        painted = 0.0
        for path in group.iter("path"):
            if path.get("class") == "c":
                for left, right, height in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)v([\d.]+)", path.get("d", "")):
                    painted += (float(right) - float(left)) * float(height) / BAR * scale.days / WIDTH
                    assert min(x for x, _ in clipped) <= float(left) <= float(right) <= max(x for _, x in clipped)
        # Days beyond the drawing's end are drawn nowhere.
        assert abs(painted - covered) <= 1
        assert f"{len(lane.orders):,} order" in "".join(group.itertext())


def _year(lanes: int, weeks: int) -> str:
    start = date(2025, 1, 1)
    days = [start + timedelta(days=14 * week) for week in range(weeks)]
    spans = [SupplySpan(kind="covered", start=day, end=day + timedelta(days=7)) for day in days]
    spans += [SupplySpan(kind="gap", start=day + timedelta(days=7), end=day + timedelta(days=14)) for day in days]
    lane = ProductLane(label="Zinc", spans=spans, orders=days)
    return str(timeline([lane] * lanes, start, start + timedelta(days=14 * weeks), ENGLISH))


def test_few_marks_are_drawn_one_by_one() -> None:
    svg = _year(lanes=1, weeks=5)
    assert "drawn in blocks" not in svg
    assert svg.count("l5 7-5 7-5-7z") == 5


def test_many_marks_are_drawn_in_blocks() -> None:
    """2,000 orders for one patient stay a small drawing, and half-covered months are half-height bars."""
    svg = _year(lanes=1, weeks=2000)
    assert "drawn in blocks" in svg
    assert "Zinc: 2,000 orders *" in svg
    assert len(svg) < 6_000
    assert re.search(r"v(5\.9|6)[\d.]*H", svg)


def test_the_axis_has_at_most_ten_labels_and_the_line_of_the_day() -> None:
    start = date(1990, 1, 1)
    for days in (1, 20, 70, 71, 200, 400, 1000, 4000, 20_000, 70_000):
        svg = str(timeline([ProductLane(label="x")], start, start + timedelta(days=days), ENGLISH))
        assert 2 <= svg.count('class="ax"') <= 12, days
        assert ENGLISH.day(start + timedelta(days=days - 1)) in svg


def test_a_change_is_named_where_there_is_room() -> None:
    changes = [
        Change(on=date(2026, 2, 1), label="dose changed 1 Feb"),
        Change(on=date(2026, 2, 2), label="dose changed 2 Feb"),
    ]
    svg = str(
        timeline(
            [ProductLane(label="x", spans=(), orders=(), changes=changes)], date(2026, 1, 1), date(2026, 12, 1), ENGLISH
        )
    )
    assert "dose changed 1 Feb" in svg
    assert svg.count("l5 8h-10z") == 2


@pytest.mark.parametrize(("code", "said"), [("en", "Zinc: 1 order"), ("fr", "Zinc\u00a0: 1 commande")])
def test_the_description_counts_orders_in_the_language(code: str, said: str) -> None:
    lane = ProductLane(label="Zinc", spans=(), orders=[date(2026, 1, 2)])
    assert said in str(timeline([lane], date(2026, 1, 1), date(2026, 2, 1), page_language(code)))
