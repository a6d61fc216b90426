"""The address in the clinic's record decides its pages' time zone; a clinic without one changes nothing."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.pulls import clinic
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore, zone_with_source
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server


def test_the_zone_follows_the_address_and_stays_when_it_is_not_sent(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    today = datetime.now(UTC).date()
    records: list[dict[str, object]] = [
        {"name": "Maple"},
        {"name": "Maple", "address": {"city": "Halifax", "state": "NS", "country": "Canada"}},
        {"name": "Maple", "address": {"city": "Regina", "state": "SK", "country": "Canada"}},
        {"name": "Maple"},
    ]
    settings = load_settings(time_zone="America/Denver")
    zones: list[tuple[ZoneInfo, str]] = []
    with (
        odd_server(lambda _seen: Reply(body={"clinic": {"id": CLINIC.clinic_id} | records[len(zones)]})) as server,
        session_at(server.url) as session,
        StateStore(tmp_path / "state.sqlite") as store,
    ):
        for number, _ in enumerate(records):
            target = Target(
                warehouse=warehouse,
                landing_dir=tmp_path,
                encryption_key=None,
                server=CLINIC.server,
                region=CLINIC.region,
                day=today,
                run_id=f"run-{number}",
                clinic=CLINIC,
            )
            assert clinic.pull_clinic(target, session).outcome == "loaded"
            clinic.store_address_zone(target, session, store)
            zones.append(zone_with_source(settings, store.choices.get(CLINIC)))
    halifax, regina = (ZoneInfo("America/Halifax"), "address"), (ZoneInfo("America/Regina"), "address")
    assert zones == [(ZoneInfo("America/Denver"), "setting"), halifax, regina, regina]
