"""Records of people who are kept out are left out of every answer, in every shape; all others stay as they are."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.api.endpoints import endpoint_named
from fullscript_pipeline.api.errors import RequestSummary
from fullscript_pipeline.api.purged_record_filter import (
    PurgedObjectError,
    drop_purged_mentions,
    drop_purged_records,
    is_about_purged,
    names_people,
    refuse_purged_ids,
)
from fullscript_pipeline.api.response_parsing import Page
from fullscript_pipeline.extraction.engine.list_progress import Walk
from fullscript_pipeline.warehouse.landing import Request
from fullscript_pipeline_tests.helpers.api_sessions import session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

REQUEST = RequestSummary(endpoint="orders", server="us-snd", method="GET", url="/clinic/orders", clinic="acme")


@dataclass(frozen=True)
class Purged:
    ids: frozenset[str] = frozenset({"p1", "o1"})

    def __contains__(self, one: object, /) -> bool:
        return one in self.ids

    def mark(self, one: str) -> str:
        return f"mark-{len(one)}-{hash(one)}"


PURGED = Purged()


def _page(*records: dict[str, Any]) -> Page:
    return Page(
        number=1,
        records=list(records),
        total_count=len(records),
        total_pages=1,
        request_id="r",
        fetched_at=datetime(2026, 11, 1, tzinfo=UTC),
        wrapper_key="orders",
        unexpected_wrapper=False,
        is_last=True,
    )


THEIRS: list[tuple[str, dict[str, Any]]] = [
    ("patients", {"id": "p1", "last_name": "x"}),
    ("orders", {"id": "o1"}),
    ("orders", {"id": "o2", "patient": {"id": "p1"}}),
    ("orders", {"id": "o2", "patient_id": "p1"}),
    ("lab_orders", {"id": "l1", "patient": "p1"}),
    ("patient_treatment_plans", {"id": "t1", "patient": {"id": "p1", "last_name": "x"}}),
    ("patient_events", {"id": "e1", "type": "patient.updated", "resource_id": "p1"}),
    ("order_events", {"id": "e1", "data": {"order": {"id": "o9", "patient": {"id": "p1"}}}}),
    ("event", {"id": "e1", "data": {"patients": [{"id": "p2"}, {"id": "p1"}]}}),
    ("event", {"id": "e1", "data": {"patient_ids": ["p2", "p1"]}}),
    ("webhook_deliveries", {"id": "d1", "request": {"event": {"data": {"id": "p1"}}}}),
    ("metadata", {"id": "external", "type": "patient", "entity_id": "p1"}),
]


@pytest.mark.parametrize(("endpoint", "record"), THEIRS)
def test_what_is_theirs_is_left_out_and_counted(endpoint: str, record: dict[str, Any]) -> None:
    other = {"id": "another", "patient_id": "p2", "notes": "p1 is no id here"}
    page = drop_purged_records(_page(record, other), endpoint_named(endpoint), PURGED)
    assert page.records == [other]
    assert len(page.left_out) == 1
    assert "p1" not in page.left_out
    with pytest.raises(PurgedObjectError, match="--undo"):
        drop_purged_mentions(record, endpoint_named(endpoint), PURGED, lambda: REQUEST)


def test_somebody_elses_record_loses_only_the_mention() -> None:
    record = {
        "id": "p2", "guardian_patient_id": "p1", "guardian": {"id": "p1", "last_name": "x"},
        "dependent_ids": ["p1", "p3"], "dependents": [{"id": "p1"}, {"id": "p3"}], "notes": "p1",
    }  # fmt: skip
    page = drop_purged_records(_page(record), endpoint_named("patients"), PURGED)
    assert page.records == [
        {
            "id": "p2", "guardian_patient_id": None, "guardian": None, "dependent_ids": ["p3"],
            "dependents": [{"id": "p3"}], "notes": "p1",
        }
    ]  # fmt: skip
    assert page.left_out == {}


def test_rows_without_an_id_of_their_own_are_counted_one_by_one() -> None:
    rows = [{"id": "x", "type": kind, "entity_id": "p1"} for kind in ("patient", "other")]
    assert len(drop_purged_records(_page(*rows), endpoint_named("metadata"), PURGED).left_out) == 2
    assert len(drop_purged_records(_page(rows[0], rows[0]), endpoint_named("metadata"), PURGED).left_out) == 1


def test_nothing_is_requested_about_them() -> None:
    with pytest.raises(PurgedObjectError) as refused:
        refuse_purged_ids({"patient_id": "p1"}, PURGED, lambda: REQUEST)
    assert "p1" not in str(refused.value)
    refuse_purged_ids({"patient_id": "p2"}, PURGED, lambda: REQUEST)
    refuse_purged_ids({"patient_id": "p1"}, None, lambda: REQUEST)


def test_a_session_hides_them_and_its_lists_stay_complete() -> None:
    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/clinic/orders"):
            meta = {"current_page": 1, "next_page": None, "total_pages": 1, "total_count": 3}
            return Reply(body={"orders": [{"id": "o1"}, {"id": "o2"}, {"id": "o3", "patient_id": "p1"}], "meta": meta})
        return Reply(body={"order": {"id": "o4", "patient": {"id": "p1"}}})

    with odd_server(answer) as server, session_at(server.url, purged_ids=PURGED) as session:
        (page,) = session.pages("orders")
        with pytest.raises(PurgedObjectError):
            session.fetch_object("order", {"id": "o4"})
        asked = len(server.requests)
        for refused in (
            lambda: session.fetch_object("patient", {"id": "p1"}),
            lambda: session.pages("patient_treatment_plans", {"patient_id": "p1"}),
            lambda: session.pages("orders", params={"patient_id": "p1"}),
        ):
            with pytest.raises(PurgedObjectError):
                refused()
    walk = Walk()
    walk.add(Request(endpoint="orders", key="k", records=1, total_count=3, left_out=tuple(page.left_out)), ["o2"])
    assert ([one["id"] for one in page.records], len(page.left_out)) == (["o2"], 2)
    assert (walk.is_consistent, walk.caution("orders", has_bare_rows=False)) == (True, None)
    assert walk.as_fetched_list(is_complete=True).ids == ("o2",)
    assert len(server.requests) == asked, "nothing is asked about them"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["p1", "p2", "o1", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "patient_id", "patient", "ids", "item_ids", "name", "data"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "patient_id", "patient", "order", "data", "name"]), _VALUES))
def test_afterwards_no_id_of_theirs_is_in_a_place_for_ids(record: dict[str, Any]) -> None:
    page = drop_purged_records(_page(record), endpoint_named("orders"), PURGED)
    assert len(page.records) + len(page.left_out) == 1
    assert not any(names_people(one, PURGED) for one in page.records)
    if not names_people(record, PURGED) and not is_about_purged(record, endpoint_named("orders"), PURGED):
        assert json.dumps(page.records) == json.dumps([record])
