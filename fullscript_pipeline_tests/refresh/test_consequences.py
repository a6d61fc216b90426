"""What hangs on an event's object, over HTTP: from the event to the row in core and the sentence on the page."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.sandbox.control import merge_patients
from fullscript_pipeline.sandbox.orders import order_freely, order_plans
from fullscript_pipeline.sandbox.world import Plan
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.event_shapes import Bend, bent
from fullscript_pipeline_tests.helpers.lab_plans import page, plan_with_lab


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("consequences"), patients=14, products=10) as found:
        yield found


def buys(live_clinic: LiveClinic, plan: Plan) -> dict[str, Any]:
    """The patient orders what the plan recommends, its lab among it."""
    patient = live_clinic.world.patients[plan.patient_id]
    order = order_plans(live_clinic.world, patient, [plan], live_clinic.sandbox.world.day, live_clinic.rng)
    live_clinic.just_now()
    assert order is not None
    return order


@pytest.mark.check_all
def test_a_lab_that_was_bought_is_bought_on_the_page(live_clinic: LiveClinic) -> None:
    plan, lab = plan_with_lab(live_clinic, 0)
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [("not_purchased",)]
    buys(live_clinic, plan)
    live_clinic.look()
    done, asked = live_clinic.handle()
    assert asked["lab_orders"] == 1
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [("purchased",)]
    assert "Thyroid panel</bdi>: Bought, waiting" in page(live_clinic, plan.patient_id, done.patients)


LINES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "type lab_type only": lambda line: {**line, "type": "supplement"},
    "type labs": lambda line: {**line, "lab_type": None},
    "type lab": lambda line: {"type": "Lab", "quantity": 1},
    "type lab_test": lambda line: {"type": "lab_test", "variant_id": None},
    "type panel": lambda line: {"type": "diagnostic_panel", "quantity": 1},
    "no type": lambda line: {"quantity": 1, "variant_id": line["variant_id"]},
    "lab beside": lambda line: {"type": "supplement", "lab": {"id": "panel-1"}},
}


@pytest.mark.check_all
@pytest.mark.parametrize("way", LINES)
def test_a_lab_line_is_known_however_it_is_written(live_clinic: LiveClinic, way: str) -> None:
    plan, lab = plan_with_lab(live_clinic, 1)
    order = buys(live_clinic, plan)
    order["line_items"] = [LINES[way](line) if line["type"] == "labs" else line for line in order["line_items"]]
    live_clinic.look()
    live_clinic.handle()
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [("purchased",)]


@pytest.mark.check_all
def test_an_order_of_supplements_asks_no_lab(live_clinic: LiveClinic) -> None:
    live_clinic.pull_everything()
    live_clinic.order()
    live_clinic.look()
    _, asked = live_clinic.handle()
    assert asked["lab_orders"] + asked["lab_order"] == 0


@pytest.mark.check_all
def test_many_lab_purchases_cost_the_list_once(live_clinic: LiveClinic) -> None:
    bought = [plan_with_lab(live_clinic, number, is_known=False) for number in range(6)]
    live_clinic.pull_everything()
    for plan, _ in bought:
        buys(live_clinic, plan)
    live_clinic.look()
    _, asked = live_clinic.handle()
    assert asked["lab_orders"] == 1
    ids = tuple(lab.row["id"] for _, lab in bought)
    assert live_clinic.stored("lab_orders", ["DISTINCT state"], f"lab_order_id IN {ids}") == [("purchased",)]


@pytest.mark.check_all
def test_an_activated_plan_brings_its_labs(live_clinic: LiveClinic) -> None:
    live_clinic.pull_everything()
    plan, lab = plan_with_lab(live_clinic, 2, is_known=False)
    live_clinic.look()
    done, _ = live_clinic.handle()
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [("not_purchased",)]
    assert "Thyroid panel</bdi>: Recommended, not bought" in page(live_clinic, plan.patient_id, done.patients)


def unfiltered(live_clinic: LiveClinic) -> Bend:
    """A server that ignores the filter by patient, and lists labs with their tests and the patient as an object."""

    def answer(path: str, body: Any) -> Any:
        if path != "/clinic/labs/orders":
            return body
        rows = []
        for lab in live_clinic.world.labs.values():
            row = {key: value for key, value in lab.row.items() if key != "patient_id"}
            rows.append(row | {"patient": {"id": lab.row["patient_id"]}, "tests": lab.tests, "results": lab.results})
        return {"lab_orders": rows}

    return answer


@pytest.mark.check_all
@pytest.mark.parametrize("way", ["unfiltered", "list refused", "filter refused"])
def test_labs_are_read_again_on_servers_that_answer_otherwise(live_clinic: LiveClinic, way: str) -> None:
    plan, lab = plan_with_lab(live_clinic, 3)
    buys(live_clinic, plan)
    refused: Bend = lambda path, body: {"list refused": 403, "filter refused": 422}[way]  # noqa: E731
    bend = unfiltered(live_clinic) if way == "unfiltered" else refused
    with bent(lambda path, body: bend(path, body) if path == "/clinic/labs/orders" else body):
        live_clinic.look()
        live_clinic.handle()
    assert live_clinic.stored("lab_orders", ["state"], f"lab_order_id = '{lab.row['id']}'") == [("purchased",)]


MERGED: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "merged_patient_id": lambda kept, merged: {"patient": {"id": kept}, "merged_patient_id": merged},
    "the merged one is the object": lambda kept, merged: {"patient": {"id": merged, "merged_into": kept}},
    "surviving and merged ids": lambda kept, merged: {"surviving_patient_id": kept, "merged_patient_ids": [merged]},
    "from and to": lambda kept, merged: {"from": {"id": merged}, "to": {"id": kept}},
    "the survivor only": lambda kept, merged: {"patient": {"id": kept}},
    "the merged one only": lambda kept, merged: {"id": merged},
}


def _marks(way: str) -> list[pytest.MarkDecorator]:
    return [] if way == "merged_patient_id" else [pytest.mark.check_all]


def merge(live_clinic: LiveClinic, way: str) -> tuple[str, str]:
    """A stored patient with at least eight orders and a plan is merged into another; (kept, merged)."""
    merged = next(plan.patient_id for plan in live_clinic.active_plans())
    kept = next(one for one in live_clinic.world.patients if one != merged)
    for _ in range(8):
        order_freely(
            live_clinic.world, live_clinic.world.patients[merged], live_clinic.sandbox.world.day, live_clinic.rng
        )
    live_clinic.pull_everything()
    merge_patients(live_clinic.world, kept, merged, live_clinic.sandbox.moment, live_clinic.rng)
    live_clinic.just_now()
    list(live_clinic.world.events.values())[-1].data = MERGED[way](kept, merged)
    return kept, merged


@pytest.mark.parametrize("way", [pytest.param(way, marks=_marks(way)) for way in MERGED])
def test_what_a_merged_patient_had_is_the_survivors_in_the_same_round(live_clinic: LiveClinic, way: str) -> None:
    kept, merged = merge(live_clinic, way)
    theirs = {one for one, order in live_clinic.world.orders.items() if order["patient_id"] == kept}
    live_clinic.look()
    done, asked = live_clinic.handle()
    assert {one for (one,) in live_clinic.stored("orders", ["order_id"], f"patient_id = '{kept}'")} == theirs
    for table in ("orders", "treatment_plans", "lab_orders"):
        assert live_clinic.stored(table, ["count(*)"], f"patient_id = '{merged}'") == [(0,)], table
        assert live_clinic.stored(table, ["count(*)"], "removed_at IS NOT NULL") == [(0,)], table
    assert {kept, merged} <= set(done.patients)
    assert asked["order"] + asked["orders"] <= 6 < len(theirs), asked


@pytest.mark.check_all
def test_a_merge_is_told_by_a_webhook_where_no_event_can_be_read(live_clinic: LiveClinic) -> None:
    kept, merged = merge(live_clinic, "the merged one is the object")
    live_clinic.receive(live_clinic.payload(list(live_clinic.world.events)[-1]))
    refresh.ingest_inbox(live_clinic.store)
    with bent(lambda path, body: 404 if path == "/events/{id}" else body):
        live_clinic.handle()
    assert live_clinic.stored("orders", ["count(*)"], f"patient_id = '{merged}'") == [(0,)]
    assert live_clinic.stored("orders", ["count(*) > 0"], f"patient_id = '{kept}'") == [(True,)]


@pytest.mark.check_all
def test_a_server_that_ignores_the_filter_of_orders_is_not_listed_whole(live_clinic: LiveClinic) -> None:
    _, merged = merge(live_clinic, "merged_patient_id")
    everything = {"orders": [], "meta": {"total_count": 10**6, "total_pages": 10**4, "next_page": 2}}

    def ignored(path: str, body: Any) -> Any:
        return (
            {**everything, "orders": list(live_clinic.world.orders.values())[:100]}
            if path == "/clinic/orders"
            else body
        )

    with bent(ignored):
        live_clinic.look()
        _, asked = live_clinic.handle()
    assert asked["orders"] <= 2
    assert live_clinic.stored("orders", ["count(*)"], f"patient_id = '{merged}'") == [(0,)]


@pytest.mark.check_all
@pytest.mark.parametrize(
    ("quirk", "filter_ignored"),
    [("dependent_keys_left_out", False), ("dependent_keys_left_out", True), ("", False)],
)
def test_an_emancipated_patient_is_nobodys_dependent(tmp_path: Path, quirk: str, filter_ignored: bool) -> None:
    with open_live_clinic(tmp_path, patients=30, products=10, quirks=quirk) as live_clinic:
        dependents = [one for one in live_clinic.world.patients.values() if one.record["is_dependent"]]
        freed, kept = dependents[0], dependents[1:]
        sql = f"patient_id = '{freed.id}'"
        columns = ["is_dependent", "guardian_patient_id IS NULL"]
        assert live_clinic.stored("patients", columns, sql) == [(True, False)]
        freed.record |= {"is_dependent": False, "guardian_patient_id": None}
        live_clinic.record_event("patient.emancipated", {"patient": {"id": freed.id}})
        everybody = (
            {"patients": [one.record for one in live_clinic.world.patients.values()]} if filter_ignored else None
        )
        with bent(lambda path, body: everybody if everybody and path == "/clinic/patients" else body):
            live_clinic.look()
            done, _ = live_clinic.handle()
        assert live_clinic.stored("patients", columns, sql) == [(False, True)]
        assert freed.id in done.patients
        for other in kept:
            assert live_clinic.stored("patients", columns, f"patient_id = '{other.id}'") == [(True, False)]


@pytest.mark.check_all
def test_labs_whose_row_has_not_changed_need_no_detail(live_clinic: LiveClinic) -> None:
    plan, lab = plan_with_lab(live_clinic, 5)
    assert live_clinic.stored("lab_order_tests", ["count(*)"], f"lab_order_id = '{lab.row['id']}'") == [(1,)]
    live_clinic.change_plan(plan, personal_message="the lab is as it was")
    live_clinic.look()
    _, asked = live_clinic.handle()
    assert (asked["lab_orders"], asked["lab_order"]) == (1, 0)
    assert live_clinic.stored("lab_order_tests", ["count(*)"], f"lab_order_id = '{lab.row['id']}'") == [(1,)]
