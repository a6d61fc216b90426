"""A patient who is listed no more: their plans and orders are read once more, only what is denied goes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.pulls import clinic, orders, treatment_plans
from fullscript_pipeline.extraction.pulls.patient_orders import pull_orders_of_departed_patients
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server


@pytest.fixture
def target(tmp_path: Path) -> Target:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    today = datetime.now(UTC).date()
    return Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server=CLINIC.server,
        region=CLINIC.region,
        day=today,
        run_id="run",
        clinic=CLINIC,
    )


def test_the_plans_of_who_left_are_asked_for_once(target: Target) -> None:
    there = {str(number): [f"p{number}", f"q{number}"] for number in range(1, 7)}
    denied: set[str] = set()

    def answer(seen: Seen) -> Reply:
        match seen.path.split("/")[2:]:
            case ["patients"]:
                return Reply(body={"patients": [{"id": one, "archived": False} for one in there]})
            case ["patients", patient, "treatment_plans"] if patient in there:
                return Reply(body={"treatment_plans": [plan(one, patient) for one in there[patient]]})
            case ["treatment_plans", one] if one not in denied:
                return Reply(body={"treatment_plan": plan(one, "2")})
        return Reply(status=404)

    with odd_server(answer) as server, session_at(server.url) as session:
        for _ in range(3):
            clinic.pull_patients(target, session)
            treatment_plans.pull_plans(target, session, [])
            there.pop("2", None)
            denied.add("p2")
        by_id = [seen.path for seen in server.requests if "/clinic/treatment_plans/" in seen.path]
    assert sorted(by_id) == ["/clinic/treatment_plans/p2", "/clinic/treatment_plans/q2"]
    with target.warehouse.read() as con:
        gone = con.execute("SELECT treatment_plan_id FROM core.treatment_plans WHERE removed_at IS NOT NULL").fetchall()
    assert gone == [("p2",)]


def plan(plan_id: str, patient: str) -> dict[str, object]:
    return {"id": plan_id, "state": "active", "patient": {"id": patient}, "recommendations": []}


class OrderWorld:
    """Seven patients; patient 2 has twelve old orders. What becomes of them is set before the next pull."""

    def __init__(self) -> None:
        self.patients = [str(number) for number in range(1, 8)]
        self.owner = {f"o{number}": "2" for number in range(12)}
        self.owner["other"] = "3"
        self.unreadable: set[str] = set()
        self.filter_refused = False

    def answer(self, seen: Seen) -> Reply:
        query = seen.query
        match seen.path.split("/")[2:]:
            case ["patients"]:
                return Reply(body={"patients": [{"id": one, "archived": False} for one in self.patients]})
            case ["orders"] if "patient_id" in query:
                if self.filter_refused:
                    return Reply(status=404)
                whose = query["patient_id"]
                rows = [one for one, owner in self.owner.items() if owner == whose and one not in self.unreadable]
                return Reply(body={"orders": [order(one, whose) for one in rows]})
            case ["orders"]:
                # The daily window: all at first, later the last days only.
                old = "completed_at" in query
                return Reply(body={"orders": [] if old else [order(one, owner) for one, owner in self.owner.items()]})
            case ["orders", one] if one in self.owner and one not in self.unreadable:
                return Reply(body={"order": order(one, self.owner[one])})
        return Reply(status=404)

    def pull(self, target: Target, session: ClinicSession) -> None:
        clinic.pull_patients(target, session)
        orders.pull_orders(target, session)
        pull_orders_of_departed_patients(target, session)


def order(order_id: str, patient: str) -> dict[str, object]:
    return {"id": order_id, "patient_id": patient, "completed_at": "2020-05-01T10:00:00Z", "line_items": []}


def run(target: Target, change: Callable[[OrderWorld], object]) -> tuple[dict[str, str], set[str], list[str]]:
    """Two pulls after a change: the patient by stored order, the removed orders, what was asked about orders."""
    world = OrderWorld()
    with odd_server(world.answer) as server, session_at(server.url) as session:
        world.pull(target, session)
        server.requests.clear()
        change(world)
        for _ in range(2):
            world.pull(target, session)
        asked = [seen.path for seen in server.requests if "/orders" in seen.path and "completed_at" not in seen.query]
    with target.warehouse.read() as con:
        rows = con.execute("SELECT order_id, patient_id, removed_at IS NOT NULL FROM core.orders").fetchall()
    return {one: patient for one, patient, _ in rows}, {one for one, _, is_removed in rows if is_removed}, asked


def merge_into_3(world: OrderWorld) -> None:
    world.patients.remove("2")
    world.owner = dict.fromkeys(world.owner, "3")


def test_the_orders_of_a_merged_patient_are_the_survivors_at_once_for_few_requests(target: Target) -> None:
    patient_of, removed, asked = run(target, merge_into_3)
    assert set(patient_of.values()) == {"3"}
    assert removed == set()
    assert len(asked) <= 3, asked


def test_orders_of_who_left_that_are_still_there_stay(target: Target) -> None:
    patient_of, removed, asked = run(target, lambda world: world.patients.remove("2"))
    assert patient_of["o0"] == "2"
    assert removed == set()
    assert len(asked) <= 3, asked


def test_orders_of_who_left_go_when_neither_read_nor_listed(target: Target) -> None:
    def leaves(world: OrderWorld) -> None:
        world.patients.remove("2")
        world.unreadable = {"o0", "o1", "o2"}

    _, removed, _ = run(target, leaves)
    assert removed == {"o0", "o1", "o2"}


def test_a_list_that_cannot_be_read_proves_nothing(target: Target) -> None:
    def leaves(world: OrderWorld) -> None:
        world.patients.remove("2")
        world.unreadable = set(world.owner)
        world.filter_refused = True

    _, removed, _ = run(target, leaves)
    assert removed == set()


def test_patients_whose_removal_is_held_have_left_nothing(target: Target) -> None:
    def everybody_vanishes(world: OrderWorld) -> None:
        world.patients = ["1"]
        world.owner = dict.fromkeys(world.owner, "1")

    patient_of, _, asked = run(target, everybody_vanishes)
    assert (patient_of["o0"], asked) == ("2", [])


def test_a_merged_patient_who_is_still_listed_has_left_their_orders(target: Target) -> None:
    def merged(world: OrderWorld) -> None:
        world.owner = dict.fromkeys(world.owner, "3")
        told = {"data": {"kept": {"id": "3"}, "absorbed": ["2"]}}
        with target.warehouse.write() as con:
            con.execute(
                "INSERT INTO core.events (clinic_id, event_id, event_type, extra, observed_at) VALUES (?, ?, ?, ?, ?)",
                [CLINIC.clinic_id, "e1", "patient.merged", json.dumps(told), datetime.now(UTC)],
            )

    patient_of, _, asked = run(target, merged)
    assert set(patient_of.values()) == {"3"}
    assert len(asked) <= 6, asked
