"""A patient who is listed no more: their plans are asked for by id, once, and only those that the server denies go."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fullscript_pipeline.extraction import clinic, plans
from fullscript_pipeline.extraction.pull import Target
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.migrations import migrate
from fullscript_pipeline_tests.api.helpers import CLINIC, session_at
from fullscript_pipeline_tests.api.odd_server import Reply, Seen, odd_server


@pytest.fixture
def target(tmp_path: Path) -> Target:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    today = datetime.now(UTC).date()
    return Target(warehouse, tmp_path / "landing", None, CLINIC.server, CLINIC.region, today, "run", CLINIC)


def test_the_plans_of_who_left_are_asked_for_once(target: Target) -> None:
    there = {str(number): [f"p{number}", f"q{number}"] for number in range(1, 7)}
    denied: set[str] = set()

    def answer(seen: Seen) -> Reply:
        match seen.path.split("/")[2:]:
            case ["patients"]:
                return Reply(body={"patients": [{"id": one, "archived": False} for one in there]})
            case ["patients", patient, "treatment_plans"]:
                return Reply(body={"treatment_plans": [plan(one, patient) for one in there[patient]]})
            case ["treatment_plans", one] if one not in denied:
                return Reply(body={"treatment_plan": plan(one, "2")})
        return Reply(status=404)

    with odd_server(answer) as server, session_at(server.url) as session:
        for _ in range(3):
            clinic.pull_patients(target, session)
            plans.pull_plans(target, session, [])
            there.pop("2", None)
            denied.add("p2")
        by_id = [seen.path for seen in server.seen if "/clinic/treatment_plans/" in seen.path]
    assert sorted(by_id) == ["/clinic/treatment_plans/p2", "/clinic/treatment_plans/q2"]
    with target.warehouse.read() as con:
        gone = con.execute("SELECT treatment_plan_id FROM core.treatment_plans WHERE removed_at IS NOT NULL").fetchall()
    assert gone == [("p2",)]


def plan(plan_id: str, patient: str) -> dict[str, object]:
    return {"id": plan_id, "state": "active", "patient": {"id": patient}, "recommendations": []}
