"""How a listing is walked to its end, whatever its pages say; over real HTTP. What does not belong here: one page."""

import pytest

from fullscript_pipeline.api import (
    BadResponse,
)
from fullscript_pipeline_tests.helpers.api_sessions import session_at
from fullscript_pipeline_tests.helpers.order_pages import orders_in_pages, page_meta
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server


def test_pages_are_walked_to_the_last_one_and_can_be_resumed() -> None:
    with odd_server(orders_in_pages) as server, session_at(server.url) as session:
        arrived = list(session.pages("orders", params={"completed_at": ">2026-11-01", "sort_by": "completed_at"}))
        pages = sorted(arrived, key=lambda page: page.number)
        resumed = list(session.pages("orders", first_page=3))
    assert [(page.number, len(page.records), page.is_last) for page in pages] == [
        (1, 100, False),
        (2, 100, False),
        (3, 50, True),
    ]
    assert {page.total_count for page in pages} == {250}
    assert pages[0].request_id == "req-1"
    assert [page.number for page in resumed] == [3]
    assert server.requests[0].query == {
        "completed_at": ">2026-11-01",
        "sort_by": "completed_at",
        "page[number]": "1",
        "page[size]": "100",
    }
    assert session.requests == {"orders": 4}


@pytest.mark.parametrize("everything_again", [True, False])
def test_a_nested_list_without_meta_ends_when_nothing_new_arrives(everything_again: bool) -> None:
    def answer(seen: Seen) -> Reply:
        first = seen.query["page[number]"] == "1" or everything_again
        return Reply(body={"treatment_plans": [{"id": "p-1"}, {"id": "p-2"}] if first else []})

    with odd_server(answer) as server, session_at(server.url) as session:
        pages = list(session.pages("patient_treatment_plans", path={"patient_id": "a/b"}))
        again = list(session.pages("patient_treatment_plans", path={"patient_id": "other"}))
    assert [(len(page.records), page.is_last, page.total_count) for page in pages + again] == [(2, True, None)] * 2
    assert server.requests[0].path == "/clinic/patients/a%2Fb/treatment_plans"
    # A server that ignores page numbers is asked twice once, and believed from then on.
    assert len(server.requests) == (3 if everything_again else 4)


def test_an_empty_list_is_one_last_page_without_records() -> None:
    with (
        odd_server([Reply(body={"orders": [], "meta": page_meta(1, 0, 0)})]) as server,
        session_at(server.url) as session,
    ):
        pages = list(session.pages("orders"))
    assert [(page.records, page.is_last, page.total_count) for page in pages] == [([], True, 0)]


@pytest.mark.parametrize(
    "meta",
    [
        {"current_page": 1, "next_page": 2, "total_pages": 9, "total_count": 900},
        {"current_page": "1", "next_page": "2"},
        {"next_page": 2},
    ],
)
def test_a_listing_that_does_not_advance_is_an_error_not_a_loop(meta: dict[str, object]) -> None:
    with (
        odd_server([Reply(body={"orders": [{"id": "o-1"}], "meta": meta})]) as server,
        session_at(server.url) as session,
        pytest.raises(BadResponse, match="does not advance"),
    ):
        list(session.pages("orders"))
    # Page 1, and three attempts for each of the eight pages in flight.
    assert len(server.requests) <= 25


def test_rows_vanishing_meanwhile_may_send_us_the_last_page_again() -> None:
    """Page 3 was asked, only two are left: that is an end, not an error."""

    def answer(seen: Seen) -> Reply:
        if seen.query["page[number]"] == "3":
            return Reply(body={"orders": [{"id": "2"}], "meta": page_meta(2, 2, 2)})
        number = int(seen.query["page[number]"])
        return Reply(body={"orders": [{"id": str(number)}], "meta": page_meta(number, 3, 3)})

    with odd_server(answer) as server, session_at(server.url) as session:
        pages = sorted(session.pages("orders"), key=lambda page: page.number)
    assert [page.is_last for page in pages] == [False, False, True]
