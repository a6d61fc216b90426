"""One clinic of a connected sandbox with everything needed to pull it. What does not belong here: assertions."""

from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, open_session
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.state import Clinic
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.pipeline import Connected


class OneClinic:
    """The first clinic, its target of today and its session (close it)."""

    def __init__(self, connected: Connected) -> None:
        self.connected = connected
        self.warehouse = Warehouse(connected.settings.warehouse_path)
        migrate(self.warehouse, [])
        self.clinic: Clinic = connected.store.clinics.all()[0]
        self.session: ClinicSession = open_session(connected.settings, connected.store, self.clinic)

    @property
    def target(self) -> Target:
        settings = self.connected.settings
        today = clock.today(settings.time_zone)
        clinic = self.clinic
        return Target(
            warehouse=self.warehouse,
            landing_dir=settings.landing_dir,
            encryption_key=None,
            server=clinic.server,
            region=clinic.region,
            day=today,
            run_id="run-1",
            clinic=clinic,
        )

    def next_day(self, days: int = 1) -> dict[str, Any]:
        """The sandbox and the pipeline's clock move on; what happened meanwhile."""
        happened = self.connected.sandbox.control.advance(days=days)
        self.connected.set_clock()
        return happened

    def count_requests(self) -> dict[str, int]:
        """Requests by endpoint since the last call."""
        control = self.connected.sandbox.control
        counts = {str(row["endpoint"]): int(row["count"]) for row in control.requests()["counts"]}
        control.reset_requests()
        return counts

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as con:
            return con.execute(sql).fetchall()
