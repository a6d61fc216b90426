"""What assets and sensors are handed: sessions, the warehouse, the report store. Opened when first used.

What does not belong here: what is done with them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg

from fullscript_pipeline.api import ClinicRef, ClinicSession, Priority, open_session
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import Warehouse


class FullscriptResource(dg.ConfigurableResource[None]):
    """Authenticated sessions, one per clinic, and the state store behind them."""

    def settings(self) -> Settings:
        return load_settings()

    @contextmanager
    def store(self) -> Iterator[StateStore]:
        settings = load_settings()
        settings.prepare_data_dir()
        with StateStore(settings.state_path, settings.encryption_key) as store:
            yield store

    @contextmanager
    def session(self, clinic_key: str, priority: Priority = "present") -> Iterator[tuple[ClinicSession, StateStore]]:
        """A session of one clinic. Raises UsageError for a clinic that is not connected."""
        with self.store() as store, open_session(load_settings(), store, store.clinic(clinic_key), priority) as session:
            yield session, store

    @contextmanager
    def session_in(self, store: StateStore, clinic: ClinicRef) -> Iterator[ClinicSession]:
        """A session of one clinic on a store that is open already; threads may share the store."""
        with open_session(load_settings(), store, clinic) as session:
            yield session

    @contextmanager
    def region_sessions(self, region: str) -> Iterator[tuple[list[ClinicSession], StateStore]]:
        """A session of every healthy clinic of a region, and the store. Raises NeedsConnect when there is none."""
        settings = load_settings()
        with self.store() as store, ExitStack() as opened:
            clinics = [clinic for clinic in store.clinics() if clinic.region == region]
            healthy = [clinic for clinic in clinics if clinic.status == "ok"]
            if not healthy:
                raise NeedsConnect(_nobody(region, clinics))
            yield [opened.enter_context(open_session(settings, store, clinic)) for clinic in healthy], store


class WarehouseResource(dg.ConfigurableResource[None]):
    """The DuckDB file, migrated."""

    def open(self) -> Warehouse:
        return open_warehouse()


class ReportsResource(dg.ConfigurableResource[None]):
    """The folder of pages."""

    def open(self) -> ReportStore:
        settings = load_settings()
        settings.prepare_data_dir()
        return ReportStore(settings.reports_dir)


def _nobody(region: str, clinics: list[Clinic]) -> str:
    if not clinics:
        return f"No clinic of region {region} is connected; run `fullscript-pipeline connect`."
    keys = ", ".join(clinic.clinic_key for clinic in clinics)
    return f"No clinic of region {region} has a working grant ({keys}); run `fullscript-pipeline connect` again."


def connected(store: StateStore) -> list[ClinicRef]:
    """Clinics whose cells can be filled, those that need a connect included: their red square says so."""
    return list(store.clinics())
