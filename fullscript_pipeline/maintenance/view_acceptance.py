"""Accepts the view of a clinic's present grant as complete: marks rows removed, then rebuilds the pages they change.

What does not belong here: asking for confirmation (`cli.accept_view`), which rows these are (`warehouse.loading`).
"""

import getpass
import uuid
from dataclasses import dataclass

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import mart_day
from fullscript_pipeline.errors import NeedsConnect, UsageError
from fullscript_pipeline.extraction.engine import grant_view
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_touched
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.loading import Acceptance, Context, View, pull_log, view_acceptance


@dataclass(frozen=True, kw_only=True)
class ViewAcceptance:
    """The present view of a clinic. `preview` shows what accepting it would change; `accept` does it."""

    settings: Settings
    warehouse: Warehouse
    clinic: Clinic
    view: View

    def preview(self) -> Acceptance:
        """Raises UsageError when the view has listed nothing yet: what it lacks is then unknown."""
        with self.warehouse.read() as con:
            acceptance = view_acceptance.preview(con, self._context(con), self.view)
        if not acceptance.is_known:
            raise UsageError(
                f"Clinic {self.clinic.clinic_key} was not pulled yet with the present user and permissions, so it is "
                "unknown which rows they lack: run `fullscript-pipeline pull --clinic "
                f"{self.clinic.clinic_key}` first."
            )
        return acceptance

    def accept(self) -> Acceptance:
        """Marks the rows, records it, and rebuilds adherence and pages where the clinic has them."""
        with self.warehouse.write() as con:
            accepted = view_acceptance.accept(con, self._context(con), self.view, getpass.getuser())
            has_pages = mart_day(con, self.clinic.clinic_id) is not None
        if has_pages:
            store, today = open_report_store(self.settings), clock.today(self.settings.time_zone)
            clinic_day = ClinicDay(settings=self.settings, warehouse=self.warehouse, clinic=self.clinic, day=today)
            rebuild_touched(clinic_day, store, sorted(accepted.patients))
        return accepted

    def _context(self, con: duckdb.DuckDBPyConnection) -> Context:
        last = pull_log.last_observation(con)
        observed = max(clock.now(), last) if last else clock.now()
        clinic = self.clinic
        pull_id = f"accept-view-{uuid.uuid4().hex}"
        return Context(
            server=clinic.server,
            region=clinic.region,
            clinic_id=clinic.clinic_id,
            clinic_key=clinic.clinic_key,
            observed_at=observed,
            pull_id=pull_id,
            view=self.view,
        )


def present_view(store: StateStore, clinic: Clinic) -> View:
    """The view with which the clinic is read now. Raises NeedsConnect when it has no working grant."""
    grant = store.tokens.load_grant(clinic)
    if grant is None:
        raise NeedsConnect(
            f"Clinic {clinic.clinic_key} has no working authorisation, so no view to accept: run "
            f"`fullscript-pipeline connect {clinic.server}` first."
        )
    return grant_view(clinic, grant)
