"""Events told in every way that the documentation leaves open: a refresh ends where a fresh pull does."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.state import Delivery
from fullscript_pipeline_tests.helpers.clinic_fixture import Living, living
from fullscript_pipeline_tests.helpers.event_shapes import Bend, bent, ids_are_numbers

pytestmark = pytest.mark.check_all
CLINICAL = {"orders", "order_line_items", "patients", "treatment_plans", "recommendations", "lab_orders"}
NESTED = ("patient", "treatment_plan", "lab_order", "product")


@pytest.fixture(scope="module")
def its(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("others"), patients=9, products=10) as found:
        yield found


def happens(its: Living) -> list[str]:
    """An order, a plan that changes, one that ends or begins again, a patient who moves; the ids of their events."""
    known = set(its.world.events)
    its.order()
    kept, *_, other = its.world.plans.values()
    its.change_plan(kept, personal_message=f"after event {len(known)}")
    its.change_plan(other, state="cancelled" if other.record["state"] == "active" else "active")
    patient = list(its.world.patients.values())[len(known) % 7]
    patient.record["mobile_number"] = f"+1555{len(known):07d}"
    its.tell("patient.updated", {"patient": patient.record})
    return [one for one in its.world.events if one not in known]


def ends_like_a_pull(its: Living) -> None:
    """Nothing is left for a pull to find."""
    again = its.pull_everything()
    changed = {table: (c.added, c.changed, c.removed) for table, c in again.items() if c.added + c.changed + c.removed}
    assert not changed.keys() & CLINICAL, changed


def rows(change: Any) -> Bend:
    """Each row of the feeds."""
    return lambda path, body: (
        {**body, "events": [change(row) for row in body["events"]]}
        if path.startswith("/events/") and "events" in body
        else body
    )


def details(change: Any) -> Bend:
    """Each detail of an event."""
    return lambda path, body: change(body) if path == "/events/{id}" else body


def unnested(body: Any) -> Any:
    """The object itself as data: a plan then has its patient beside its id."""
    event = body["event"]
    data = next((event["data"][key] for key in NESTED if key in event["data"]), event["data"])
    return {"event": {**event, "data": data}}


def with_object(its: Living, row: Any) -> Any:
    event = its.world.events[row["id"]]
    data = next((event.data[key] for key in NESTED if key in event.data), event.data)
    return {**row, "resource_id": data.get("id"), "resource_type": row["type"].partition(".")[0]}


def bare_ids(path: str, body: Any) -> Any:
    """The documentation's words: "a list of applicable event ids"."""
    return {**body, "events": [row["id"] for row in body["events"]]} if "events" in body else body


WAYS: dict[str, Bend] = {
    "ids and types": rows(lambda row: {"id": row["id"], "type": row["type"]}),
    "a list of ids": bare_ids,
    "local times": rows(lambda row: {**row, "created_at": row["created_at"].replace(".000Z", "-00:00")}),
    "another wrapper": lambda path, body: (
        {"order_events": body["events"], "meta": body["meta"]} if path == "/events/orders" else body
    ),
    "no meta": lambda path, body: {"events": body["events"]} if "events" in body else body,
    "wrapped twice": details(lambda body: {"event_payload": body}),
    "payload without event": details(lambda body: {"event_payload": body["event"]}),
    "bare": details(lambda body: body["event"]),
    "data is the object": details(unnested),
    "lab feed refused": lambda path, body: 403 if path == "/events/lab_orders" else body,
    "no feed of products": lambda path, body: 404 if path == "/events/products" else body,
    "no clinic keys for this token": lambda path, body: 401 if path == "/events/clinic_keys" else body,
}


@pytest.mark.parametrize("way", WAYS)
def test_feeds_and_details_in_another_shape(its: Living, way: str) -> None:
    with bent(WAYS[way]):
        happens(its)
        its.look()
        its.handle()
        its.reconcile()
        its.handle()
    ends_like_a_pull(its)


def test_the_object_itself_as_data_is_not_taken_for_its_patient(its: Living) -> None:
    with bent(details(unnested)):
        told = happens(its)
        its.look()
        its.handle()
    ends_like_a_pull(its)
    found = dict(its.stored("events", ["event_type", "resource_id"], f"event_id IN {tuple(told)}"))
    assert found["treatment_plan.updated"] in its.world.plans


def test_rows_that_name_their_object_cost_no_detail(its: Living) -> None:
    with bent(rows(lambda row: with_object(its, row))):
        happens(its)
        its.look()
        done, asked = its.handle()
    assert (len(done.event_ids), asked["event"]) == (4, 0)
    ends_like_a_pull(its)


@pytest.mark.parametrize("ascending_only", [True, False])
def test_feeds_that_sort_or_filter_as_they_like(its: Living, ascending_only: bool) -> None:
    with bent(ascending_only=ascending_only, filters_ignored=not ascending_only):
        for _ in range(110):
            its.order()
        happens(its)  # in ascending order it lies on the last page
        its.look()
        its.handle()
    ends_like_a_pull(its)


def test_a_page_that_comes_for_ever_is_read_once_more(its: Living) -> None:
    """The server ignores page numbers, sorts as it likes, and says that another page follows."""

    def endless(path: str, body: Any) -> Any:
        return {**body, "meta": {"next_page": 2}} if path.startswith("/events/") and "meta" in body else body

    with bent(endless, ascending_only=True):
        its.order()
        _, asked = its.look()
        its.handle()
    assert asked.total() <= 2 * len(asked) + 2
    ends_like_a_pull(its)


def test_an_event_whose_type_nobody_has_documented_is_read_all_the_same(its: Living) -> None:
    plan = its.active_plans()[0]
    plan.record["personal_message"] = "shared again"
    shared = its.tell("treatment_plan.shared", {"treatment_plan": plan.record})
    odd = rows(lambda row: {**row, "type": "plan_was_shared"} if row["id"] == shared else row)
    with bent(odd):
        its.look()
        done, _ = its.handle()
    assert shared in done.event_ids
    ends_like_a_pull(its)


def test_one_feed_that_fails_does_not_keep_the_others_back(its: Living) -> None:
    order = its.order()
    with bent(lambda path, body: 422 if path == "/events/patients" else body):
        found, _ = its.look()
        assert found is not None
        assert "patient_events" in str(found.error)
        its.handle()
        assert its.stored("orders", ["order_id"], f"order_id = '{order}'") == [(order,)]
        with pytest.raises(Exception, match="patient_events"):
            its.look()


def told_otherwise(its: Living, event_id: str, way: str) -> dict[str, Any]:
    event = its.payload(event_id)
    if way == "clinic beside the event":
        return {"event_payload": {"clinic_id": event.pop("clinic_id"), "event": event}}
    if way == "no clinic":
        return {"event": {key: value for key, value in event.items() if key != "clinic_id"}}
    if way == "event only":
        return {"event": event}
    return {"event_payload": event}


@pytest.mark.parametrize("way", ["event only", "payload only", "clinic beside the event", "no clinic"])
def test_webhooks_in_any_wrapper_reach_their_clinic(its: Living, way: str) -> None:
    told = happens(its)
    for one in told:
        body = json.dumps(told_otherwise(its, one, way)).encode()
        clinic = its.clinic.clinic_id if way == "clinic beside the event" else ""
        its.store.keep_delivery(Delivery(its.clinic.server, one, clinic_id=clinic, body=body))
    assert refresh.ingest_inbox(its.store).failed == {}
    _, asked = its.handle()
    assert asked["event"] == 0
    assert {its.inbox()[one][0] for one in told} == {"handled"}
    its.look()
    ends_like_a_pull(its)


DELIVERIES: dict[str, Any] = {
    "true and false as text": lambda row: {**row, "successfully_delivered": str(row["successfully_delivered"]).lower()},
    "payload as text": lambda row: {**row, "event_payload": json.dumps(row["event_payload"])},
    "event directly": lambda row: {**{k: v for k, v in row.items() if k != "event_payload"}, **row["event_payload"]},
    "no payload": lambda row: {key: value for key, value in row.items() if key != "event_payload"},
    "no payload, a type of its own": lambda row: {
        **{key: value for key, value in row.items() if key != "event_payload"}, "type": "webhook_delivery"
    },
}  # fmt: skip


@pytest.mark.parametrize("way", DELIVERIES)
def test_deliveries_in_any_shape_tell_what_no_feed_did(its: Living, way: str) -> None:
    its.reconcile()
    told = happens(its)
    sent = [its.payload(one) for one in told]
    attempts = [
        {"id": f"try-{one['id']}", "event_id": one["id"], "attempted_at": its.sandbox.moment.isoformat(),
         "successfully_delivered": True, "event_payload": {"event": one}}
        for one in sent
    ]  # fmt: skip

    def answer(path: str, body: Any) -> Any:
        if path == "/webhooks/deliveries":
            return {"deliveries": [DELIVERIES[way](row) for row in attempts]}
        return {**body, "events": []} if "events" in body else body

    with bent(answer):
        found = its.reconcile()
        assert (found.missing_deliveries, found.deliveries, found.delivered) == (len(told),) * 3
    its.handle()
    ends_like_a_pull(its)


@pytest.mark.parametrize(
    "quirks",
    [
        "unnested_event_data,event_payload_wrapper,bare_webhooks",
        "filter_bounds_included,other_timestamps,event_ids_only,bare_events",
        "filter_local_days,filter_last_day_left_out,string_booleans,other_ids",
    ],
)
def test_a_day_under_several_quirks(tmp_path: Path, quirks: str) -> None:
    with living(tmp_path, patients=9, products=10, quirks=quirks) as its:
        happens(its)
        its.look()
        its.handle()
        ends_like_a_pull(its)


def test_webhooks_are_enough_where_no_feed_can_be_read(tmp_path: Path) -> None:
    feeds = ("/events/", "/webhooks/")
    with (
        bent(lambda path, body: 404 if path.startswith(feeds) else body),
        living(tmp_path, patients=8, products=10) as its,
    ):
        product = next(iter(its.world.catalog.products.values()))
        product["name"] = "Told by webhook only"
        told = [*happens(its), its.tell("product.updated", {"product": product})]
        its.receive(*map(its.payload, told))
        assert refresh.ingest_inbox(its.store).failed == {}
        assert its.look()[0] is not None
        its.handle()
        assert {its.inbox()[one][0] for one in told} == {"handled"}
        assert its.stored("products", ["count(*)"], "name = 'Told by webhook only'") == [(1,)]
        ends_like_a_pull(its)


def test_ids_that_are_numbers(tmp_path: Path) -> None:
    with ids_are_numbers(), living(tmp_path, patients=12, products=10, quirks="owner_clinic_id") as its:
        assert its.clinic.clinic_id.isdigit()
        happens(its)
        its.look()
        done, _ = its.handle()
        assert all(one.isdigit() for one in done.event_ids)
        told = [
            json.loads(its.sandbox.variants.replace_ids_in_answer(json.dumps(its.payload(one)).encode()))
            for one in happens(its)
        ]
        its.receive(*told)
        refresh.ingest_inbox(its.store)
        _, asked = its.handle()
        assert asked["event"] == 0
        assert {its.inbox()[str(one["id"])][0] for one in told} == {"handled"}
        its.reconcile()
        ends_like_a_pull(its)


def test_a_server_whose_clock_is_days_behind_ours(its: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", (its.sandbox.moment + timedelta(days=12)).isoformat())
    its.look()
    its.handle()
    happens(its)
    its.look()
    done, _ = its.handle()
    assert len(done.event_ids) == 4
    ends_like_a_pull(its)
