"""The detail of an event that the server fails to give: the day goes on, and the event waits for the next pull."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fullscript_pipeline.api import ServerError
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.event_proof.event_outcomes import record_pull_outcomes
from fullscript_pipeline.extraction.pulls.event_details import MOST_FAILURES
from fullscript_pipeline.extraction.pulls.event_feeds import pull_events
from fullscript_pipeline.extraction.pulls.treatment_plans import pull_plans
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with closing(StateStore(tmp_path / "state.sqlite", None)) as opened:
        yield opened


class Server:
    """Plan feed of so many events of a kind; the details of those in `broken` fail."""

    def __init__(self, kind: str, number: int) -> None:
        self.rows = [{"id": f"e{one}", "type": kind, "created_at": NOW.isoformat()} for one in range(number)]
        self.broken: set[str] = set()

    def answer(self, seen: Seen) -> Reply:
        match seen.path.split("/")[1:]:
            case ["events", "treatment_plans"]:
                return Reply(body={"events": self.rows})
            case ["events", name] if name in {"orders", "patients", "lab_orders", "products", "clinic_keys"}:
                return Reply(body={"events": []})
            case ["events", event_id] if event_id not in self.broken:
                row = next(row for row in self.rows if row["id"] == event_id)
                return Reply(body={"event": {**row, "data": {"thing": {"id": "x"}}}})
        return Reply(status=500)


@pytest.mark.parametrize("kind", ["plan.archived_by_clinic", "treatment_plan.updated"])
def test_a_broken_event_is_told_and_waits(target: Target, store: StateStore, kind: str) -> None:
    server = Server(kind, 2)
    server.broken = {"e1"}
    with odd_server(server.answer) as running, session_at(running.url) as session:
        report = pull_events(target, session, store)
        pull_plans(target, session, [])
        record_pull_outcomes(target.warehouse, store, CLINIC)
        assert report.outcome == "loaded"
        assert "1 detail of events could not be read" in str(report.reason)
        assert "e1" in {event.event_id for event in store.events.pending(CLINIC.server, CLINIC.clinic_id)}
        server.broken.clear()
        assert "could not be read" not in str(pull_events(target, session, store).reason)
    with target.warehouse.read() as con:
        rows = con.execute("SELECT event_id FROM core.events WHERE json_exists(extra, '$.data') ORDER BY 1").fetchall()
    assert rows == [("e0",), ("e1",)]


def test_an_endpoint_that_fails_for_every_event_fails_the_pull(target: Target, store: StateStore) -> None:
    server = Server("treatment_plan.updated", MOST_FAILURES + 1)
    server.broken = {str(row["id"]) for row in server.rows}
    with odd_server(server.answer) as running, session_at(running.url) as session, pytest.raises(ServerError):
        pull_events(target, session, store)
