"""Every resource of every clinic of a connected sandbox, pulled in this process.

What does not belong here: assertions, and one clinic alone (`clinic_pull`).
"""

from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, open_session
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.event_proof.event_outcomes import record_pull_outcomes
from fullscript_pipeline.extraction.pulls import (
    catalog,
    event_feeds,
    lab_orders,
    missing_variants,
    orders,
    treatment_plans,
)
from fullscript_pipeline.extraction.pulls import clinic as clinic_pulls
from fullscript_pipeline.extraction.pulls.patient_orders import pull_orders_of_departed_patients
from fullscript_pipeline.state import Clinic
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.pipeline import Connected


class AllClinics:
    """One clinic of a connected sandbox, with everything needed to pull it."""

    def __init__(self, connected: Connected) -> None:
        self.connected = connected
        self.warehouse = Warehouse(connected.settings.warehouse_path)
        migrate(self.warehouse, [])

    def target(self, clinic: Clinic) -> Target:
        settings = self.connected.settings
        return Target(
            warehouse=self.warehouse,
            landing_dir=settings.landing_dir,
            encryption_key=None,
            server=clinic.server,
            region=clinic.region,
            day=clock.today(settings.time_zone),
            run_id="run-1",
            clinic=clinic,
        )

    def session(self, clinic: Clinic) -> ClinicSession:
        return open_session(self.connected.settings, self.connected.store, clinic)

    def pull_everything(self) -> dict[str, Any]:
        """All resources of all clinics; the summed counts by table."""
        totals: dict[str, Any] = {}
        for clinic in self.connected.store.clinics.all():
            target = self.target(clinic)
            with self.session(clinic) as session:
                reports = [clinic_pulls.pull_clinic(target, session), *clinic_pulls.pull_people(target, session)]
                reports.append(event_feeds.pull_events(target, session, self.connected.store))
                reports.append(clinic_pulls.pull_patients(target, session))
                reports += [orders.pull_orders(target, session), lab_orders.pull_labs(target, session)]
                reports += [left for left in [pull_orders_of_departed_patients(target, session)] if left]
                reports.append(
                    treatment_plans.pull_plans(target, session, event_feeds.awaited_plan_ids(target, clinic.clinic_id))
                )
                record_pull_outcomes(self.warehouse, self.connected.store, clinic)
                reports += [
                    missing_variants.pull_unknown_variants(target, session),
                    *catalog.pull_products(target, [session]),
                ]
            for report in reports:
                for table, counts in report.counts.items():
                    totals[table] = totals[table] + counts if table in totals else counts
        return totals

    def pull_products(self) -> None:
        """The products of each region, through every clinic of it."""
        for clinic in self.connected.store.clinics.all():
            with self.session(clinic) as session:
                catalog.pull_products(self.target(clinic), [session])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as con:
            return con.execute(sql).fetchall()
