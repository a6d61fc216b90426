"""A list that names more than the server shows one by one: who is denied stands as listed, or as stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.api import ScopeError
from fullscript_pipeline.extraction.pulls.clinic import pull_patients
from fullscript_pipeline.extraction.pulls.treatment_plans import fetch_plans
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import session_at
from fullscript_pipeline_tests.helpers.page_drift import Puller
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, Seen, odd_server

PEOPLE = ("ann", "ben", "cem")


class Server:
    """Lists thin rows; `denied` tells with which status the details of whom are denied."""

    def __init__(self) -> None:
        self.people: list[Any] = [{"id": one, "first_name": one.title()} for one in PEOPLE]
        self.denied: dict[str, int] = {}

    def answer(self, seen: Seen) -> Reply:
        *_, kind, last = seen.path.split("/")
        if last == "patients":
            return Reply(body={"patients": self.people, "meta": {"total_count": len(self.people), "next_page": None}})
        one = kind if last == "treatment_plans" else last
        if status := self.denied.get(one):
            return Reply(status)
        if last == "treatment_plans":
            return Reply(body={"treatment_plans": [{"id": f"plan-{one}"}], "meta": {"next_page": None}})
        if kind == "treatment_plans":
            plan = {"id": one, "state": "active", "recommendations": [{"variant_id": "v1"}]}
            return Reply(body={"treatment_plan": plan | {"patient": {"id": one.removeprefix("plan-")}}})
        if kind == "patients" and one in PEOPLE:
            return Reply(body={"patient": {"id": one, "first_name": one.title(), "gender": "unknown"}})
        return Reply(404)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Server, Puller, OddServer]]:
    warehouse, served = Warehouse(folder / "w.duckdb", lock_wait=5), Server()
    migrate(warehouse, [])
    with odd_server(served.answer) as server, session_at(server.url) as session:
        yield served, Puller(warehouse, folder / "landing", session), server


@pytest.mark.parametrize("status", [403, 404])
def test_a_patient_whose_detail_is_denied_is_there_all_the_same(tmp_path: Path, status: int) -> None:
    with _served(tmp_path) as (served, puller, _):
        served.denied = {"ben": status}
        report = pull_patients(puller.target(), puller.session)
        assert (report.outcome, set(puller.present())) == ("loaded", set(PEOPLE))
        assert ("1 detail refused (patient)" in str(report.reason)) == (status == 403)
        served.denied = {"ann": status}
        pull_patients(puller.target(), puller.session, sweep_days=1)
        with puller.warehouse.read() as con:
            stored = con.execute("SELECT patient_id, gender FROM core.patients WHERE removed_at IS NULL ORDER BY 1")
            assert stored.fetchall() == [(one, "unknown") for one in PEOPLE]


def test_when_every_detail_is_refused_it_is_the_scope(tmp_path: Path) -> None:
    with _served(tmp_path) as (served, puller, server):
        served.people = [{"id": f"p{number}", "first_name": "A"} for number in range(90)]
        served.denied = {one["id"]: 403 for one in served.people}
        with pytest.raises(ScopeError):
            pull_patients(puller.target(), puller.session)
        assert len(server.requests) < 60, "it does not ask for all of them to find out"


def test_a_listed_row_without_an_id_is_not_asked_for_and_set_aside(tmp_path: Path) -> None:
    with _served(tmp_path) as (served, puller, server):
        served.people += [None, {"first_name": "NoId"}, {"id": "", "first_name": "Empty"}]
        report = pull_patients(puller.target(), puller.session)
        assert (report.counts["patients"].quarantined, set(puller.present())) == (3, set(PEOPLE))
        assert not [one for one in server.requests if "no-id" in one.path]


@pytest.mark.parametrize("denied", ["ben", "plan-ben"])
@pytest.mark.parametrize("status", [403, 404])
def test_the_plans_of_one_patient_that_are_denied_cost_nobody_else_theirs(
    tmp_path: Path, denied: str, status: int
) -> None:
    with _served(tmp_path) as (served, puller, _):
        fetch_plans(puller.target(), puller.session, PEOPLE, [])
        served.denied = {denied: status}
        report = fetch_plans(puller.target(), puller.session, PEOPLE, [], reread=PEOPLE)
        assert report.outcome == "loaded"
        with puller.warehouse.read() as con:
            stored = con.execute(
                "SELECT patient_id, variant_id FROM core.recommendations JOIN core.treatment_plans "
                "USING (clinic_id, treatment_plan_id) WHERE treatment_plans.removed_at IS NULL ORDER BY 1"
            )
            assert stored.fetchall() == [(one, "v1") for one in PEOPLE]
