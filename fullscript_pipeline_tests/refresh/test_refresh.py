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
from fullscript_pipeline_tests.helpers.clinic_fixture import Living, living


@pytest.fixture(scope="module")
def its(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("living"), patients=20, products=20) as found:
        yield found


def test_an_idle_look_is_one_request_a_feed(its: Living) -> None:
    found, asked = its.look()
    assert found is None
    assert set(asked.values()) == {1}
    assert len(asked) == len(refresh.polled_feeds(its.store, its.clinic))


def test_four_hundred_orders_are_listed_not_read_one_by_one(its: Living) -> None:
    new = {its.order() for _ in range(400)}
    found, looked = its.look()
    assert found is not None
    assert not found.needs_full_pull
    done, asked = its.handle()
    assert done.counts == {"orders": 400}
    assert looked.total() + asked.total() <= 15, (looked, asked)
    assert new <= {one for (one,) in its.stored("orders", ["order_id"])}
    assert set(done.patients) == {one for (one,) in its.stored("orders", ["patient_id"], f"order_id IN {tuple(new)}")}
    found, looked = its.look()
    assert found is None
    assert looked.total() <= len(looked) + 1, "a listing that is known already costs its first page"


def test_plan_events_cost_a_detail_each_once_and_a_read_per_patient(its: Living) -> None:
    plans = its.active_plans()[:12]
    for number in range(60):
        its.change_plan(plans[number % 12], personal_message=f"take it {number}")
    its.look()
    done, asked = its.handle()
    assert asked["event"] == 60
    patients = {plan.record["patient"]["id"] for plan in plans}
    assert asked["patient_treatment_plans"] + asked["treatment_plan"] <= len(patients)
    assert set(done.patients) == patients
    said = dict(its.stored("treatment_plans", ["treatment_plan_id", "personal_message"]))
    assert [said[plan.id] for plan in plans] == [plan.record["personal_message"] for plan in plans]
    found, _ = its.look()
    assert found is None


def test_a_webhook_gives_the_id_and_saves_the_detail(its: Living) -> None:
    order = its.order()
    plan = its.active_plans()[0]
    told = [its.payload(one) for one in list(its.world.events)[-1:]]
    told.append(its.payload(its.change_plan(plan, state="cancelled")))
    its.receive(*told, *told)
    drained = refresh.ingest_inbox(its.store)
    assert (list(drained.clinics), drained.recorded) == ([its.clinic.clinic_key], 2)
    done, asked = its.handle()
    assert asked["event"] == 0
    assert asked.total() == 2
    assert len(done.event_ids) == 2
    assert its.stored("orders", ["order_id"], f"order_id = '{order}'") == [(order,)]
    state = its.stored("treatment_plans", ["state"], f"treatment_plan_id = '{plan.id}'")
    assert state == [("cancelled",)], 'the payload says "active": "true"'
    assert {its.inbox()[one["id"]] for one in told} == {("handled", None)}
    seen = its.stored("events", ["event_id", "seen_by"], f"event_id IN {tuple(one['id'] for one in told)}")
    assert {seen_by for _, seen_by in seen} == {"webhook"}
    its.look()
    assert its.handle()[1].total() == 0, "the feed shows the same events again"


def test_a_product_event_names_variants_only(its: Living) -> None:
    product = next(iter(its.world.catalog.products.values()))
    product["name"] = "Sleep well (new formula)"
    shown = {key: value for key, value in product.items() if key != "id"}
    its.receive({"id": "made-product", "type": "product.created", "created_at": "2026-11-22T11:00:00Z", "data": shown})
    # As the printed sample has it: brand and variants beside the data.
    beside = {key: shown[key] for key in ("brand", "variants")}
    inside = {key: value for key, value in shown.items() if key not in beside}
    its.receive(
        {"id": "printed", "type": "product.created", "created_at": "2026-11-22T11:01:00Z", "data": inside, **beside}
    )
    its.tell("product.updated", {"product": shown})
    refresh.ingest_inbox(its.store)
    its.look()
    done, asked = its.handle()
    assert done.counts == {"products": 3}
    assert (asked["event"], asked["variant"], asked["product"]) == (1, 0, 1)
    assert its.stored("products", ["name"], f"product_id = '{product['id']}'") == [("Sleep well (new formula)",)]
    rows = its.stored("events", ["event_type"], f"resource_id = '{product['id']}'")
    assert rows == [("product.created",), ("product.created",), ("product.updated",)]


def test_an_object_that_is_gone_is_marked_and_an_event_nobody_knows_is_kept(its: Living) -> None:
    order = next(iter(its.world.orders))
    its.tell("order.placed", dict(its.world.orders[order]))
    event = list(its.world.events)[-1]
    its.receive(its.payload(event), {**its.payload(event), "id": "odd", "type": "practitioner.moved", "data": {}})
    del its.world.orders[order]
    refresh.ingest_inbox(its.store)
    done, _ = its.handle()
    assert done.counts == {"orders": 1, "unknown": 1}
    assert its.stored("orders", ["removed_at IS NULL"], f"order_id = '{order}'") == [(False,)]
    assert its.stored("events", ["event_type"], "event_id = 'odd'") == [("practitioner.moved",)]


def test_a_patient_nobody_has_told_of_comes_with_the_order(its: Living) -> None:
    order = its.world.orders[its.order()]
    patient = deepcopy(its.world.patients[order["patient_id"]])
    patient.record["id"] = order["patient_id"] = "00000000-aaaa-4000-8000-00000000000a"
    add_patient(its.world, patient)
    list(its.world.events.values())[-1].data["patient_id"] = patient.record["id"]
    its.look()
    done, asked = its.handle()
    assert asked["patient"] == 1
    assert done.patients == (patient.record["id"],)
    assert its.stored("patients", ["count(*)"], f"patient_id = '{patient.record['id']}'") == [(1,)]


def test_a_payload_that_cannot_be_used_fails_with_its_reason_and_is_not_lost(its: Living) -> None:
    stranger = {"id": "far", "type": "order.placed", "clinic_id": "nobody", "data": {"id": "1"}}
    its.receive(stranger, {"id": "empty"})
    refresh.ingest_inbox(its.store)
    state, reason = its.inbox()["far"]
    assert state == "failed"
    assert "clinic nobody, which is not connected" in str(reason)
    assert its.inbox()["empty"][0] == "failed"


def test_an_event_that_the_look_missed_is_found_by_the_reconcile_and_counted(its: Living) -> None:
    its.reconcile()
    its.order()
    late = its.world.events.popitem()[1]
    its.look()
    its.handle()
    # It appears behind events that are known, as if the vendor had been slow: newest first, the look stops before it.
    its.world.events = {late.id: late} | its.world.events
    late.at = its.sandbox.moment.replace(hour=1)
    found = its.reconcile()
    assert found.missing_in_feeds == 1
    assert found.missing == 1
    assert refresh.request_for_due_events(its.store, its.clinic) is not None
    its.handle()
    assert its.reconcile().missing == 0


def test_a_killed_refresh_owes_the_pages_and_asks_no_detail_twice(its: Living) -> None:
    patient = its.world.patients[its.world.orders[its.order()]["patient_id"]].id
    its.change_plan(its.active_plans()[1], personal_message="again")
    its.look()

    class KilledError(Exception):
        """Stands for SIGKILL after the commit."""

    def killed(_: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        its.handle(between=killed)
    done, asked = its.handle()
    assert asked["event"] == 0
    assert patient in done.patients
    assert its.store.pending_page_rebuilds(its.clinic) == []


def test_the_same_events_in_any_order_and_number_end_in_the_same_tables(its: Living) -> None:
    plan, order = its.active_plans()[2], its.order()
    told = [its.payload(list(its.world.events)[-1])]
    told += [its.payload(its.change_plan(plan, personal_message=word)) for word in ("one", "two")]
    ends = set()
    for number, history in enumerate(itertools.islice(itertools.permutations(told), 0, 6, 2)):
        copies = [{**one, "id": f"{one['id']}-{number}"} for one in history for _ in range(1 + number)]
        its.receive(*copies)
        refresh.ingest_inbox(its.store)
        its.handle()
        plans = its.stored("treatment_plans", ["*  EXCLUDE (observed_at, valid_from)"])
        orders = its.stored("orders", ["* EXCLUDE (observed_at)"], f"order_id = '{order}'")
        ends.add((str(plans), str(orders)))
    assert len(ends) == 1


def test_a_delivery_that_is_handed_over_again_is_read_again(its: Living) -> None:
    plan = its.active_plans()[3]
    its.receive(told := its.payload(its.change_plan(plan, personal_message="as told")))
    refresh.ingest_inbox(its.store)
    its.handle()
    plan.record["personal_message"] = "corrected, and no event tells"
    done = CliRunner().invoke(webhooks, ["inbox", "replay", told["id"]], catch_exceptions=False)
    assert done.exit_code == 0
    refresh.ingest_inbox(its.store)
    its.handle()
    said = its.stored("treatment_plans", ["personal_message"], f"treatment_plan_id = '{plan.id}'")
    assert said == [("corrected, and no event tells",)]
    assert its.inbox()[told["id"]] == ("handled", None)


def test_plans_that_a_daily_pull_could_not_read_are_read_by_the_next_one(its: Living) -> None:
    """It failed, or was killed, after it had handled the events."""
    plans = its.active_plans()[:8]
    for plan in plans:
        its.change_plan(plan, personal_message=f"the plans step failed {plan.id}")
    with its.session(its.clinic) as session:
        pull_events(its.target(its.clinic), session, its.store)
    its.pull_everything()
    said = dict(its.stored("treatment_plans", ["treatment_plan_id", "personal_message"]))
    assert [said[plan.id] for plan in plans] == [plan.record["personal_message"] for plan in plans]
    assert its.stored("events", ["count(*)"], "processed_at IS NULL") == [(0,)]


def test_what_a_refresh_left_is_what_a_fresh_pull_gives(its: Living) -> None:
    again = its.pull_everything()
    changed = {table: (c.added, c.changed, c.removed) for table, c in again.items() if c.added + c.changed + c.removed}
    assert changed.keys() <= {"events", "clinics", "category_products"}, changed
