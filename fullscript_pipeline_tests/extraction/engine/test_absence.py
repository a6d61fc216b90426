"""What an order's 404 is worth beside a list: one that is not the patient's own proves nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fullscript_pipeline.extraction.engine import Pull, Target
from fullscript_pipeline.extraction.engine.absence import confirm_gone
from fullscript_pipeline.extraction.pulls.orders import pull_orders
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

PAGES = 40


def order(number: int, patient: str) -> dict[str, object]:
    return {"id": f"o{number}", "patient_id": patient, "completed_at": "2026-05-01T10:00:00Z", "line_items": []}


@pytest.mark.parametrize(
    ("filtered", "gone"),
    [("honoured", ["o0"]), ("ignored", []), ("shows another's order", []), ("refused", []), ("not found", [])],
)
def test_only_the_patients_own_list_proves_an_order_gone(tmp_path: Path, filtered: str, gone: list[str]) -> None:
    own = [order(1, "a")]

    def answer(seen: Seen) -> Reply:
        page = int(seen.query.get("page[number]", 1))
        if "patient_id" not in seen.query:
            return Reply(body={"orders": [order(0, "a"), order(1, "a")]})
        if filtered in {"refused", "not found"}:
            return Reply(status=403 if filtered == "refused" else 404)
        if filtered == "ignored":
            meta = {"total_count": PAGES, "total_pages": PAGES, "current_page": page}
            return Reply(body={"orders": [order(page, "b")], "meta": meta})
        return Reply(body={"orders": own if filtered == "honoured" else [*own, order(9, "b")]})

    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    today = datetime.now(UTC).date()
    target = Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server=CLINIC.server,
        region=CLINIC.region,
        day=today,
        run_id="run",
        clinic=CLINIC,
    )
    with odd_server(answer) as server, session_at(server.url) as session:
        pull_orders(target, session)
        server.requests.clear()
        assert confirm_gone(Pull(target, "again"), session, ORDERS, ["o0"]) == gone
    assert len(server.requests) == 1, "a list that is not the patient's is not read on"
