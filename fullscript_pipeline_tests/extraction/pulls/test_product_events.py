"""Before a region's products are read, its product feed is: events date what the products are about to show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.extraction.pulls.catalog import pull_products
from fullscript_pipeline.extraction.pulls.event_feeds import pull_events
from fullscript_pipeline.extraction.pulls.product_events import pull_product_events
from fullscript_pipeline_tests.helpers.clinic_pull import OneClinic
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[OneClinic]:
    with connected_pipeline(tmp_path, clinics=1, patients=6, products=40, history_days=5) as connected:
        made = OneClinic(connected)
        yield made
        made.session.close()


def pull_region(cell: OneClinic) -> None:
    heard = pull_product_events(cell.target, [cell.session], cell.connected.store)
    pull_products(cell.target, [cell.session])
    heard.close_events(cell.connected.store, cell.target.day.isoformat())


def test_changes_of_days_that_were_not_pulled_count_from_their_events(cell: OneClinic) -> None:
    pull_region(cell)
    first = cell.count_requests()
    assert sum(count for endpoint, count in first.items() if endpoint.endswith("/events/products")) == 1
    assert not any("/events/{" in endpoint for endpoint in first), "before the first look nothing can be dated"
    cell.next_day(days=4)
    pull_region(cell)
    versions = cell.rows(
        """SELECT v.valid_from, v.known_at, (SELECT max(e.created_at) FROM core.events e, core.variants n
            WHERE n.product_id = v.product_id AND e.event_type LIKE 'product.%'
            AND contains(e.extra::VARCHAR, n.variant_id)
            AND e.created_at < v.known_at AND e.created_at > first.at)
        FROM history.products v, (SELECT min(known_at) AS at FROM history.products) AS first
        WHERE v.removed_at IS NULL AND v.known_at > first.at"""
    )
    dated = [(begins, event) for begins, known, event in versions if event is not None]
    assert dated
    assert all(begins == event for begins, event in dated)
    assert all(begins == known for begins, known, event in versions if event is None)
    assert len({begins.date() for begins, _ in dated}) > 1


@pytest.mark.check_all
def test_the_feed_is_listed_once_and_no_detail_is_read_again(cell: OneClinic) -> None:
    pull_region(cell)
    cell.next_day()
    cell.count_requests()
    pull_region(cell)
    details = sum(count for endpoint, count in cell.count_requests().items() if "/events/{" in endpoint)
    assert details > 0
    pull_events(cell.target, cell.session, cell.connected.store)
    assert not any(endpoint.endswith("/events/products") for endpoint in cell.count_requests()), (
        "the region's run has listed it"
    )
    pull_events(cell.target, cell.session, cell.connected.store)
    assert any(endpoint.endswith("/events/products") for endpoint in cell.count_requests())
    pull_region(cell)
    assert not any("/events/{" in endpoint for endpoint in cell.count_requests())


@pytest.mark.check_all
def test_a_feed_that_came_back_empty_is_listed_from_the_newest_known_event_on(cell: OneClinic) -> None:
    """It was read up to that day, so what had happened more than two days before was listed by no pull."""
    pull_region(cell)
    cell.next_day(days=4)
    for kind in ("empty_array_200", "empty_list"):
        cell.connected.sandbox.control.arm(kind, endpoint="/events/products", count=None)
        pull_region(cell)
        cell.connected.sandbox.control.disarm()
    pull_region(cell)
    with cell.connected.sandbox.client("maple-street") as client:
        told = client.get("events/products", params={"page[size]": "100"}).json()["events"]
    stored = {event for (event,) in cell.rows("SELECT event_id FROM core.events")}
    assert {event["id"] for event in told} <= stored
