"""Events to warehouse over real HTTP: few requests, the right objects, whatever order and however often."""

import itertools
from collections.abc import Iterator
from copy import deepcopy

import pytest
from click.testing import CliRunner

from fullscript_pipeline import refresh
from fullscript_pipeline.cli.webhooks import webhooks
from fullscript_pipeline.extraction.pulls.event_feeds import pull_events
from fullscript_pipeline.sandbox.people import add_patient
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("living"), patients=20, products=20) as found:
        yield found


def test_an_idle_look_is_one_request_a_feed(live_clinic: LiveClinic) -> None:
    found, asked = live_clinic.look()
    assert found is None
    assert set(asked.values()) == {1}
    assert len(asked) == len(refresh.polled_feeds(live_clinic.store, live_clinic.clinic))


def test_four_hundred_orders_are_listed_not_read_one_by_one(live_clinic: LiveClinic) -> None:
    new = {live_clinic.order() for _ in range(400)}
    found, looked = live_clinic.look()
    assert found is not None
    assert not found.needs_full_pull
    done, asked = live_clinic.handle()
    assert done.counts == {"orders": 400}
    assert looked.total() + asked.total() <= 15, (looked, asked)
    assert new <= {one for (one,) in live_clinic.stored("orders", ["order_id"])}
    assert set(done.patients) == {
        one for (one,) in live_clinic.stored("orders", ["patient_id"], f"order_id IN {tuple(new)}")
    }
    found, looked = live_clinic.look()
    assert found is None
    assert looked.total() <= len(looked) + 1, "a listing that is known already costs its first page"


def test_plan_events_cost_a_detail_each_once_and_a_read_per_patient(live_clinic: LiveClinic) -> None:
    plans = live_clinic.active_plans()[:12]
    for number in range(60):
        live_clinic.change_plan(plans[number % 12], personal_message=f"take it {number}")
    live_clinic.look()
    done, asked = live_clinic.handle()
    assert asked["event"] == 60
    patients = {plan.record["patient"]["id"] for plan in plans}
    assert asked["patient_treatment_plans"] + asked["treatment_plan"] <= len(patients)
    assert set(done.patients) == patients
    said = dict(live_clinic.stored("treatment_plans", ["treatment_plan_id", "personal_message"]))
    assert [said[plan.id] for plan in plans] == [plan.record["personal_message"] for plan in plans]
    found, _ = live_clinic.look()
    assert found is None


def test_a_webhook_gives_the_id_and_saves_the_detail(live_clinic: LiveClinic) -> None:
    order = live_clinic.order()
    plan = live_clinic.active_plans()[0]
    told = [live_clinic.payload(one) for one in list(live_clinic.world.events)[-1:]]
    told.append(live_clinic.payload(live_clinic.change_plan(plan, state="cancelled")))
    live_clinic.receive(*told, *told)
    drained = refresh.ingest_inbox(live_clinic.store)
    assert (list(drained.clinics), drained.recorded) == ([live_clinic.clinic.clinic_key], 2)
    done, asked = live_clinic.handle()
    assert asked["event"] == 0
    assert asked.total() == 2
    assert len(done.event_ids) == 2
    assert live_clinic.stored("orders", ["order_id"], f"order_id = '{order}'") == [(order,)]
    state = live_clinic.stored("treatment_plans", ["state"], f"treatment_plan_id = '{plan.id}'")
    assert state == [("cancelled",)], 'the payload says "active": "true"'
    assert {live_clinic.inbox()[one["id"]] for one in told} == {("handled", None)}
    seen = live_clinic.stored("events", ["event_id", "seen_by"], f"event_id IN {tuple(one['id'] for one in told)}")
    assert {seen_by for _, seen_by in seen} == {"webhook"}
    live_clinic.look()
    assert live_clinic.handle()[1].total() == 0, "the feed shows the same events again"


def test_a_product_event_names_variants_only(live_clinic: LiveClinic) -> None:
    product = next(iter(live_clinic.world.catalog.products.values()))
    product["name"] = "Sleep well (new formula)"
    shown = {key: value for key, value in product.items() if key != "id"}
    live_clinic.receive(
        {"id": "made-product", "type": "product.created", "created_at": "2026-11-22T11:00:00Z", "data": shown}
    )
    # As the printed sample has it: brand and variants beside the data.
    beside = {key: shown[key] for key in ("brand", "variants")}
    inside = {key: value for key, value in shown.items() if key not in beside}
    live_clinic.receive(
        {"id": "printed", "type": "product.created", "created_at": "2026-11-22T11:01:00Z", "data": inside, **beside}
    )
    live_clinic.record_event("product.updated", {"product": shown})
    refresh.ingest_inbox(live_clinic.store)
    live_clinic.look()
    done, asked = live_clinic.handle()
    assert done.counts == {"products": 3}
    assert (asked["event"], asked["variant"], asked["product"]) == (1, 0, 1)
    assert live_clinic.stored("products", ["name"], f"product_id = '{product['id']}'") == [
        ("Sleep well (new formula)",)
    ]
    rows = live_clinic.stored("events", ["event_type"], f"resource_id = '{product['id']}'")
    assert rows == [("product.created",), ("product.created",), ("product.updated",)]


def test_an_object_that_is_gone_is_marked_and_an_event_nobody_knows_is_kept(live_clinic: LiveClinic) -> None:
    order = next(iter(live_clinic.world.orders))
    live_clinic.record_event("order.placed", dict(live_clinic.world.orders[order]))
    event = list(live_clinic.world.events)[-1]
    live_clinic.receive(
        live_clinic.payload(event),
        {**live_clinic.payload(event), "id": "odd", "type": "practitioner.moved", "data": {}},
    )
    del live_clinic.world.orders[order]
    refresh.ingest_inbox(live_clinic.store)
    done, _ = live_clinic.handle()
    assert done.counts == {"orders": 1, "unknown": 1}
    assert live_clinic.stored("orders", ["removed_at IS NULL"], f"order_id = '{order}'") == [(False,)]
    assert live_clinic.stored("events", ["event_type"], "event_id = 'odd'") == [("practitioner.moved",)]


def test_a_patient_nobody_has_told_of_comes_with_the_order(live_clinic: LiveClinic) -> None:
    order = live_clinic.world.orders[live_clinic.order()]
    patient = deepcopy(live_clinic.world.patients[order["patient_id"]])
    patient.record["id"] = order["patient_id"] = "00000000-aaaa-4000-8000-00000000000a"
    add_patient(live_clinic.world, patient)
    list(live_clinic.world.events.values())[-1].data["patient_id"] = patient.record["id"]
    live_clinic.look()
    done, asked = live_clinic.handle()
    assert asked["patient"] == 1
    assert done.patients == (patient.record["id"],)
    assert live_clinic.stored("patients", ["count(*)"], f"patient_id = '{patient.record['id']}'") == [(1,)]


def test_a_payload_that_cannot_be_used_fails_with_its_reason_and_is_not_lost(live_clinic: LiveClinic) -> None:
    stranger = {"id": "far", "type": "order.placed", "clinic_id": "nobody", "data": {"id": "1"}}
    live_clinic.receive(stranger, {"id": "empty"})
    refresh.ingest_inbox(live_clinic.store)
    state, reason = live_clinic.inbox()["far"]
    assert state == "failed"
    assert "clinic nobody, which is not connected" in str(reason)
    assert live_clinic.inbox()["empty"][0] == "failed"


def test_an_event_that_the_look_missed_is_found_by_the_reconcile_and_counted(live_clinic: LiveClinic) -> None:
    live_clinic.reconcile()
    live_clinic.order()
    late = live_clinic.world.events.popitem()[1]
    live_clinic.look()
    live_clinic.handle()
    # It appears behind events that are known, as if the vendor had been slow: newest first, the look stops before it.
    live_clinic.world.events = {late.id: late} | live_clinic.world.events
    late.at = live_clinic.sandbox.moment.replace(hour=1)
    found = live_clinic.reconcile()
    assert found.missing_in_feeds == 1
    assert found.missing == 1
    assert refresh.request_for_due_events(live_clinic.store, live_clinic.clinic) is not None
    live_clinic.handle()
    assert live_clinic.reconcile().missing == 0


def test_a_killed_refresh_owes_the_pages_and_asks_no_detail_twice(live_clinic: LiveClinic) -> None:
    patient = live_clinic.world.patients[live_clinic.world.orders[live_clinic.order()]["patient_id"]].id
    live_clinic.change_plan(live_clinic.active_plans()[1], personal_message="again")
    live_clinic.look()

    class KilledError(Exception):
        """Stands for SIGKILL after the commit."""

    def killed(_: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        live_clinic.handle(between=killed)
    done, asked = live_clinic.handle()
    assert asked["event"] == 0
    assert patient in done.patients
    assert live_clinic.store.page_rebuilds.pending(live_clinic.clinic) == []


def test_the_same_events_in_any_order_and_number_end_in_the_same_tables(live_clinic: LiveClinic) -> None:
    plan, order = live_clinic.active_plans()[2], live_clinic.order()
    told = [live_clinic.payload(list(live_clinic.world.events)[-1])]
    told += [live_clinic.payload(live_clinic.change_plan(plan, personal_message=word)) for word in ("one", "two")]
    ends = set()
    for number, history in enumerate(itertools.islice(itertools.permutations(told), 0, 6, 2)):
        copies = [{**one, "id": f"{one['id']}-{number}"} for one in history for _ in range(1 + number)]
        live_clinic.receive(*copies)
        refresh.ingest_inbox(live_clinic.store)
        live_clinic.handle()
        plans = live_clinic.stored("treatment_plans", ["*  EXCLUDE (observed_at, valid_from)"])
        orders = live_clinic.stored("orders", ["* EXCLUDE (observed_at)"], f"order_id = '{order}'")
        ends.add((str(plans), str(orders)))
    assert len(ends) == 1


def test_a_delivery_that_is_handed_over_again_is_read_again(live_clinic: LiveClinic) -> None:
    plan = live_clinic.active_plans()[3]
    live_clinic.receive(told := live_clinic.payload(live_clinic.change_plan(plan, personal_message="as told")))
    refresh.ingest_inbox(live_clinic.store)
    live_clinic.handle()
    plan.record["personal_message"] = "corrected, and no event tells"
    done = CliRunner().invoke(webhooks, ["inbox", "replay", told["id"]], catch_exceptions=False)
    assert done.exit_code == 0
    refresh.ingest_inbox(live_clinic.store)
    live_clinic.handle()
    said = live_clinic.stored("treatment_plans", ["personal_message"], f"treatment_plan_id = '{plan.id}'")
    assert said == [("corrected, and no event tells",)]
    assert live_clinic.inbox()[told["id"]] == ("handled", None)


def test_plans_that_a_daily_pull_could_not_read_are_read_by_the_next_one(live_clinic: LiveClinic) -> None:
    """It failed, or was killed, after it had handled the events."""
    plans = live_clinic.active_plans()[:8]
    for plan in plans:
        live_clinic.change_plan(plan, personal_message=f"the plans step failed {plan.id}")
    with live_clinic.session(live_clinic.clinic) as session:
        pull_events(live_clinic.target(live_clinic.clinic), session, live_clinic.store)
    live_clinic.pull_everything()
    said = dict(live_clinic.stored("treatment_plans", ["treatment_plan_id", "personal_message"]))
    assert [said[plan.id] for plan in plans] == [plan.record["personal_message"] for plan in plans]
    assert live_clinic.stored("events", ["count(*)"], "processed_at IS NULL") == [(0,)]


def test_what_a_refresh_left_is_what_a_fresh_pull_gives(live_clinic: LiveClinic) -> None:
    again = live_clinic.pull_everything()
    changed = {table: (c.added, c.changed, c.removed) for table, c in again.items() if c.added + c.changed + c.removed}
    assert changed.keys() <= {"events", "clinics", "category_products"}, changed
