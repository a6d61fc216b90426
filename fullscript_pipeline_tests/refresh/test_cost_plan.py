"""The cheaper way, as arithmetic: never dearer than the other one, and never blind to an object."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.extraction.pulls import MOST_DETAILS
from fullscript_pipeline.refresh.cost_plan import (
    MOST_PRODUCT_EVENTS,
    THE_BEGINNING,
    StoredCounts,
    choose_strategy,
    poll_seconds,
)
from fullscript_pipeline.state import LedgerEvent

TODAY = date(2026, 11, 22)
FEEDS = {"order.placed": "order_events", "patient.updated": "patient_events", "treatment_plan.created": "x"}


def events(kind: str, number: int, *, known: int = 0) -> list[LedgerEvent]:
    return [
        LedgerEvent(
            server="us-snd",
            clinic_id="c",
            event_id=f"{kind}-{n}",
            event_type=kind,
            resource_id=f"o{n}" if n < known else None,
            created_at="2026-11-22T08:00:00Z",
        )
        for n in range(number)
    ]


@given(
    number=st.integers(0, 400), known=st.integers(0, 400), patients=st.integers(0, 5000), stored=st.integers(0, 5000)
)
def test_it_is_never_dearer_than_reading_one_by_one_nor_than_listing(
    number: int, known: int, patients: int, stored: int
) -> None:
    known = min(known, number)
    chosen = choose_strategy(
        events("order.placed", number, known=known),
        StoredCounts(patients=patients, orders_since=lambda _: stored),
        TODAY,
    )
    one_by_one = 2 * (number - known) + known
    listing = max(1, -(-(stored + number) // 100))
    asked = listing if chosen.orders_from else len(chosen.details) * 2 + len(chosen.known["orders"])
    assert asked == (min(one_by_one, listing) if number else 0)
    chosen = choose_strategy(
        events("patient.updated", number, known=known), StoredCounts(patients=patients, orders_since=lambda _: 0), TODAY
    )
    asked = -(-patients // 100) if chosen.lists_patients else len(chosen.details) * 2 + len(chosen.known["patients"])
    assert asked <= max(1, min(one_by_one, -(-patients // 100)))


def test_plans_always_have_their_details_since_the_day_of_the_event_dates_the_change() -> None:
    chosen = choose_strategy(events("treatment_plan.created", 500, known=100), StoredCounts(), TODAY)
    assert len(chosen.details) == 400
    assert len(chosen.known["plans"]) == 100


def test_a_list_that_comes_thin_is_not_cheaper() -> None:
    thin = StoredCounts(patients=50, orders_since=lambda _: 0, incomplete_lists=frozenset({"patients"}))
    assert not choose_strategy(events("patient.updated", 40), thin, TODAY).lists_patients


def test_orders_are_listed_from_the_day_before_the_oldest_event() -> None:
    older = LedgerEvent(
        server="us-snd",
        clinic_id="c",
        event_id="old",
        event_type="order.placed",
        resource_id=None,
        created_at="2026-11-10T01:00:00Z",
    )
    assert choose_strategy([*events("order.placed", 50), older], StoredCounts(), TODAY).orders_from == date(2026, 11, 9)


def test_a_feed_that_lists_ids_only_still_says_whose_family_they_are() -> None:
    bare = LedgerEvent(
        server="us-snd",
        clinic_id="c",
        event_id="e",
        event_type=None,
        resource_id=None,
        created_at=None,
        feed="treatment_plan_events",
    )
    told = LedgerEvent(
        server="us-snd",
        clinic_id="c",
        event_id="d",
        event_type=None,
        resource_id=None,
        created_at=None,
        seen_by="delivery",
    )
    assert choose_strategy([bare, told], StoredCounts(), TODAY).details == ("e", "d")


def test_a_new_catalog_is_pulled_and_not_read_product_by_product() -> None:
    chosen = choose_strategy(events("product.updated", MOST_PRODUCT_EVENTS + 1), StoredCounts(), TODAY)
    assert (chosen.pulls_catalog, chosen.details) == (True, ())


def test_an_unknown_type_asks_nothing() -> None:
    chosen = choose_strategy(events("practitioner.moved", 3), StoredCounts(), TODAY)
    assert (chosen.details, set(chosen.known.values())) == ((), {()})


@pytest.mark.parametrize(
    ("clinics", "feeds", "events_flow", "seconds"),
    [(1, 5, False, 15.0), (3, 4, False, 15.0), (50, 5, False, 157.89), (1, 5, True, 5.0), (3, 4, True, 7.58)],
)
def test_looks_take_at_most_a_tenth_of_the_budget(clinics: int, feeds: int, events_flow: bool, seconds: float) -> None:
    wait = poll_seconds(clinics, feeds, events_flow=events_flow)
    assert wait == pytest.approx(seconds, abs=0.01)
    assert clinics * feeds * 300 / wait <= 475.001


def test_details_are_read_even_of_what_is_listed_so_that_the_object_of_each_event_is_known() -> None:
    chosen = choose_strategy(events("order.placed", 40), StoredCounts(), TODAY)
    assert (chosen.orders_from is not None, len(chosen.details)) == (True, 40)
    flood = events("order.placed", MOST_DETAILS + 1)
    assert choose_strategy(flood, StoredCounts(), TODAY).details == (), "the list brings them all"
    again = [replace(event, attempts=1) for event in flood]
    assert len(choose_strategy(again, StoredCounts(), TODAY).details) == MOST_DETAILS, "what the list did not answer"


@pytest.mark.parametrize("created_at", [None, "", "soon", "0000-00-00"])
def test_an_unknown_time_is_any_time_since_the_last_complete_look(created_at: str | None) -> None:
    timeless = [replace(event, created_at=created_at) for event in events("order.placed", 30)]
    listed = StoredCounts(orders_listed_on=date(2026, 11, 1))
    assert choose_strategy(timeless, listed, TODAY).orders_from == date(2026, 10, 31)
    assert choose_strategy(timeless, StoredCounts(), TODAY).orders_from == THE_BEGINNING - timedelta(days=1), (
        "there was none"
    )


def test_an_event_that_names_no_order_even_in_its_detail_has_the_orders_listed() -> None:
    one = events("order.placed", 1)
    assert choose_strategy(one, StoredCounts(patients=0, orders_since=lambda _: 500), TODAY).orders_from is None
    assert choose_strategy(
        one, StoredCounts(patients=0, orders_since=lambda _: 500), TODAY, details_read=True
    ).orders_from == date(2026, 11, 21)
