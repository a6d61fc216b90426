"""Events told in every way that the documentation leaves open: a refresh ends where a fresh pull does."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.state import Delivery
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.event_shapes import Bend, bent, ids_are_numbers

pytestmark = pytest.mark.check_all
CLINICAL = {"orders", "order_line_items", "patients", "treatment_plans", "recommendations", "lab_orders"}
NESTED = ("patient", "treatment_plan", "lab_order", "product")


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("others"), patients=9, products=10) as found:
        yield found


def happens(live_clinic: LiveClinic) -> list[str]:
    """An order, a plan that changes, one that ends or begins again, a patient who moves; the ids of their events."""
    known = set(live_clinic.world.events)
    live_clinic.order()
    kept, *_, other = live_clinic.world.plans.values()
    live_clinic.change_plan(kept, personal_message=f"after event {len(known)}")
    live_clinic.change_plan(other, state="cancelled" if other.record["state"] == "active" else "active")
    patient = list(live_clinic.world.patients.values())[len(known) % 7]
    patient.record["mobile_number"] = f"+1555{len(known):07d}"
    live_clinic.record_event("patient.updated", {"patient": patient.record})
    return [one for one in live_clinic.world.events if one not in known]


def ends_like_a_pull(live_clinic: LiveClinic) -> None:
    """Nothing is left for a pull to find."""
    again = live_clinic.pull_everything()
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


def with_object(live_clinic: LiveClinic, row: Any) -> Any:
    event = live_clinic.world.events[row["id"]]
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
def test_feeds_and_details_in_another_shape(live_clinic: LiveClinic, way: str) -> None:
    with bent(WAYS[way]):
        happens(live_clinic)
        live_clinic.look()
        live_clinic.handle()
        live_clinic.reconcile()
        live_clinic.handle()
    ends_like_a_pull(live_clinic)


def test_the_object_itself_as_data_is_not_taken_for_its_patient(live_clinic: LiveClinic) -> None:
    with bent(details(unnested)):
        told = happens(live_clinic)
        live_clinic.look()
        live_clinic.handle()
    ends_like_a_pull(live_clinic)
    found = dict(live_clinic.stored("events", ["event_type", "resource_id"], f"event_id IN {tuple(told)}"))
    assert found["treatment_plan.updated"] in live_clinic.world.plans


def test_rows_that_name_their_object_cost_no_detail(live_clinic: LiveClinic) -> None:
    with bent(rows(lambda row: with_object(live_clinic, row))):
        happens(live_clinic)
        live_clinic.look()
        done, asked = live_clinic.handle()
    assert (len(done.event_ids), asked["event"]) == (4, 0)
    ends_like_a_pull(live_clinic)


@pytest.mark.parametrize("ascending_only", [True, False])
def test_feeds_that_sort_or_filter_as_they_like(live_clinic: LiveClinic, ascending_only: bool) -> None:
    with bent(ascending_only=ascending_only, filters_ignored=not ascending_only):
        for _ in range(110):
            live_clinic.order()
        happens(live_clinic)  # in ascending order it lies on the last page
        live_clinic.look()
        live_clinic.handle()
    ends_like_a_pull(live_clinic)


def test_a_page_that_comes_for_ever_is_read_once_more(live_clinic: LiveClinic) -> None:
    """The server ignores page numbers, sorts as it likes, and says that another page follows."""

    def endless(path: str, body: Any) -> Any:
        return {**body, "meta": {"next_page": 2}} if path.startswith("/events/") and "meta" in body else body

    with bent(endless, ascending_only=True):
        live_clinic.order()
        _, asked = live_clinic.look()
        live_clinic.handle()
    assert asked.total() <= 2 * len(asked) + 2
    ends_like_a_pull(live_clinic)


def test_an_event_whose_type_nobody_has_documented_is_read_all_the_same(live_clinic: LiveClinic) -> None:
    plan = live_clinic.active_plans()[0]
    plan.record["personal_message"] = "shared again"
    shared = live_clinic.record_event("treatment_plan.shared", {"treatment_plan": plan.record})
    odd = rows(lambda row: {**row, "type": "plan_was_shared"} if row["id"] == shared else row)
    with bent(odd):
        live_clinic.look()
        done, _ = live_clinic.handle()
    assert shared in done.event_ids
    ends_like_a_pull(live_clinic)


def test_one_feed_that_fails_does_not_keep_the_others_back(live_clinic: LiveClinic) -> None:
    order = live_clinic.order()
    with bent(lambda path, body: 422 if path == "/events/patients" else body):
        found, _ = live_clinic.look()
        assert found is not None
        assert "patient_events" in str(found.error)
        live_clinic.handle()
        assert live_clinic.stored("orders", ["order_id"], f"order_id = '{order}'") == [(order,)]
        with pytest.raises(Exception, match="patient_events"):
            live_clinic.look()


def told_otherwise(live_clinic: LiveClinic, event_id: str, way: str) -> dict[str, Any]:
    event = live_clinic.payload(event_id)
    if way == "clinic beside the event":
        return {"event_payload": {"clinic_id": event.pop("clinic_id"), "event": event}}
    if way == "no clinic":
        return {"event": {key: value for key, value in event.items() if key != "clinic_id"}}
    if way == "event only":
        return {"event": event}
    return {"event_payload": event}


@pytest.mark.parametrize("way", ["event only", "payload only", "clinic beside the event", "no clinic"])
def test_webhooks_in_any_wrapper_reach_their_clinic(live_clinic: LiveClinic, way: str) -> None:
    told = happens(live_clinic)
    for one in told:
        body = json.dumps(told_otherwise(live_clinic, one, way)).encode()
        clinic = live_clinic.clinic.clinic_id if way == "clinic beside the event" else ""
        live_clinic.store.inbox.keep_delivery(
            Delivery(server=live_clinic.clinic.server, event_id=one, clinic_id=clinic, body=body)
        )
    assert refresh.ingest_inbox(live_clinic.store).failed == {}
    _, asked = live_clinic.handle()
    assert asked["event"] == 0
    assert {live_clinic.inbox()[one][0] for one in told} == {"handled"}
    live_clinic.look()
    ends_like_a_pull(live_clinic)


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
def test_deliveries_in_any_shape_tell_what_no_feed_did(live_clinic: LiveClinic, way: str) -> None:
    live_clinic.reconcile()
    told = happens(live_clinic)
    sent = [live_clinic.payload(one) for one in told]
    attempts = [
        {"id": f"try-{one['id']}", "event_id": one["id"], "attempted_at": live_clinic.sandbox.moment.isoformat(),
         "successfully_delivered": True, "event_payload": {"event": one}}
        for one in sent
    ]  # fmt: skip

    def answer(path: str, body: Any) -> Any:
        if path == "/webhooks/deliveries":
            return {"deliveries": [DELIVERIES[way](row) for row in attempts]}
        return {**body, "events": []} if "events" in body else body

    with bent(answer):
        found = live_clinic.reconcile()
        assert (found.missing_deliveries, found.deliveries, found.delivered) == (len(told),) * 3
    live_clinic.handle()
    ends_like_a_pull(live_clinic)


@pytest.mark.parametrize(
    "quirks",
    [
        "unnested_event_data,event_payload_wrapper,bare_webhooks",
        "filter_bounds_included,other_timestamps,event_ids_only,bare_events",
        "filter_local_days,filter_last_day_left_out,string_booleans,other_ids",
    ],
)
def test_a_day_under_several_quirks(tmp_path: Path, quirks: str) -> None:
    with open_live_clinic(tmp_path, patients=9, products=10, quirks=quirks) as live_clinic:
        happens(live_clinic)
        live_clinic.look()
        live_clinic.handle()
        ends_like_a_pull(live_clinic)


def test_webhooks_are_enough_where_no_feed_can_be_read(tmp_path: Path) -> None:
    feeds = ("/events/", "/webhooks/")
    with (
        bent(lambda path, body: 404 if path.startswith(feeds) else body),
        open_live_clinic(tmp_path, patients=8, products=10) as live_clinic,
    ):
        product = next(iter(live_clinic.world.catalog.products.values()))
        product["name"] = "Told by webhook only"
        told = [*happens(live_clinic), live_clinic.record_event("product.updated", {"product": product})]
        live_clinic.receive(*map(live_clinic.payload, told))
        assert refresh.ingest_inbox(live_clinic.store).failed == {}
        assert live_clinic.look()[0] is not None
        live_clinic.handle()
        assert {live_clinic.inbox()[one][0] for one in told} == {"handled"}
        assert live_clinic.stored("products", ["count(*)"], "name = 'Told by webhook only'") == [(1,)]
        ends_like_a_pull(live_clinic)


def test_ids_that_are_numbers(tmp_path: Path) -> None:
    with (
        ids_are_numbers(),
        open_live_clinic(tmp_path, patients=12, products=10, quirks="owner_clinic_id") as live_clinic,
    ):
        assert live_clinic.clinic.clinic_id.isdigit()
        happens(live_clinic)
        live_clinic.look()
        done, _ = live_clinic.handle()
        assert all(one.isdigit() for one in done.event_ids)
        told = [
            json.loads(
                live_clinic.sandbox.variants.replace_ids_in_answer(json.dumps(live_clinic.payload(one)).encode())
            )
            for one in happens(live_clinic)
        ]
        live_clinic.receive(*told)
        refresh.ingest_inbox(live_clinic.store)
        _, asked = live_clinic.handle()
        assert asked["event"] == 0
        assert {live_clinic.inbox()[str(one["id"])][0] for one in told} == {"handled"}
        live_clinic.reconcile()
        ends_like_a_pull(live_clinic)


def test_a_server_whose_clock_is_days_behind_ours(live_clinic: LiveClinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_NOW", (live_clinic.sandbox.moment + timedelta(days=12)).isoformat())
    live_clinic.look()
    live_clinic.handle()
    happens(live_clinic)
    live_clinic.look()
    done, _ = live_clinic.handle()
    assert len(done.event_ids) == 4
    ends_like_a_pull(live_clinic)
