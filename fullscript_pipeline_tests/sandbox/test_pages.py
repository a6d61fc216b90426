"""Pages, sorting and date filters, for every size and every form of argument."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.sandbox.pages import BadParameterError, day_filter, page_of, sorted_by
from fullscript_pipeline.sandbox.world import Record


@given(count=st.integers(0, 450), size=st.integers(1, 300))
def test_following_next_page_reads_every_row_once(count: int, size: int) -> None:
    rows: list[Record] = [{"id": str(number)} for number in range(count)]
    read: list[Record] = []
    number: int | None = 1
    while number is not None:
        page, meta = page_of(rows, {"page[number]": str(number), "page[size]": str(size)})
        assert len(page) <= 100
        assert meta["current_page"] == number
        assert meta["prev_page"] == (number - 1 or None)
        assert meta["total_count"] == count
        read += page
        number = meta["next_page"]
    assert read == rows


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "²", "9" * 400])
def test_a_page_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadParameterError):
        page_of([], {"page[number]": text})


days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(day=days, since=days, length=st.integers(0, 400))
def test_the_four_forms_of_a_date_filter(day: date, since: date, length: int) -> None:
    until = since + timedelta(days=length)
    expected = {
        f"{since}": day == since,
        f"<{since}": day < since,
        f">{since}": day > since,
        f"{since}..{until}": since <= day <= until,
    }
    for text, accepted in expected.items():
        accepts = day_filter({"completed_at": text}, "completed_at")
        assert accepts is not None
        assert accepts(day) is accepted, text


@given(st.text(max_size=24))
def test_any_other_date_filter_is_refused_not_ignored(text: str) -> None:
    try:
        accepts = day_filter({"created_at": text}, "created_at")
    except BadParameterError:
        return
    assert (accepts is None) == (text == "")


def test_sorting_knows_times_and_refuses_unknown_words() -> None:
    early: Record = {"id": "a", "completed_at": "2026-03-01T23:30:00.000-05:00"}
    late: Record = {"id": "b", "completed_at": "2026-03-02T04:40:00.000+00:00"}
    keys = {"completed_at": "completed_at"}
    assert sorted_by([late, early], {"sort_by": "completed_at"}, keys) == [early, late]
    assert sorted_by([late, early], {"sort_by": "completed_at", "order_by": "DESC"}, keys) == [late, early]
    assert sorted_by([late, early], {"order_by": "DESC"}, keys) == [early, late]
    for wrong in ({"sort_by": "mood"}, {"order_by": "SIDEWAYS"}):
        with pytest.raises(BadParameterError):
            sorted_by([early], wrong, keys)
