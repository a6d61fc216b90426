"""What assets and sensors are given: settings, clock, state store, HTTP client, sessions, warehouse, report store.

They depend on each other, so an override of one (in the launchpad, in `build_defs`) counts wherever a step uses it. The
fields of `settings` and `clock` are shown in the launchpad and stored with a run: never a secret. What does not belong
here: what is done with them.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, ClinicSession, HttpClient, Priority, open_session
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.maintenance import open_report_store, open_warehouse
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import Warehouse


class ClockResource(dg.ConfigurableResource[None]):
    """The data's clock. `now` moves it for a run, as FULLSCRIPT_NOW does for all of them; empty: nothing is moved."""

    now: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Any]:
        with clock.moved_to(_value(self.now) or ""):
            yield self


@dataclass(frozen=True, kw_only=True)
class SettingsSource:
    """How settings are made, and what the fields of the resource hold as long as no run changes them."""

    read_settings: Callable[..., Settings]
    defaults: Mapping[str, Any]


class SettingsResource(dg.ConfigurableResource[None]):
    """The settings of this installation. A field holds what its variable does; a run may be given another value."""

    data_dir: str
    time_zone: str
    requests_per_5_min: int
    sweep_days: int
    orders_trailing_days: int
    extras: str
    keep_pages_days: int
    keep_landing_days: int
    mart_memory_mb: int
    watched_brands: str
    clock: dg.ResourceDependency[ClockResource]
    source: dg.ResourceDependency[SettingsSource]
    _settings: Settings | None = PrivateAttr(default=None)

    def read(self) -> Settings:
        """The settings of this run. Raises ConfigurationError for a value that cannot be used."""
        if self._settings is None:
            fields = {name: _value(getattr(self, name)) for name in self.source.defaults}
            changed = {
                name: str(fields[name])
                for name, at_first in self.source.defaults.items()
                if fields[name] != _value(at_first)
            }
            self._settings = self.source.read_settings(**changed)
        return self._settings


class StateResource(dg.ConfigurableResource[None]):
    """The state store."""

    settings: dg.ResourceDependency[SettingsResource]

    @contextmanager
    def open(self) -> Iterator[StateStore]:
        settings = self.settings.read()
        settings.prepare_data_dir()
        with StateStore.open(settings) as store:
            yield store


class _RunClient(HttpClient):
    """Serves all sessions of a run: a session that ends leaves its connections to the next one."""

    def close(self) -> None:
        """Leaves the connections open."""

    def close_connections(self) -> None:
        """Closes the connections, at the end of the run."""
        super().close()


class HttpClientResource(dg.ConfigurableResource[None]):
    """What sends the requests of sessions: one client for all steps of a run in this process."""

    _client: _RunClient | None = PrivateAttr(default=None)
    _making: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    def make(self) -> HttpClient:
        """The client. Sessions of several threads may share it."""
        with self._making:
            if self._client is None:
                self._client = _RunClient()
            return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Closes what the sessions of the run have left open."""
        if self._client is not None:
            self._client.close_connections()
            self._client = None


class FullscriptResource(dg.ConfigurableResource[None]):
    """Authenticated sessions, one per clinic."""

    settings: dg.ResourceDependency[SettingsResource]
    state: dg.ResourceDependency[StateResource]
    client: dg.ResourceDependency[HttpClientResource]

    @contextmanager
    def session(self, clinic_key: str, priority: Priority = "present") -> Iterator[tuple[ClinicSession, StateStore]]:
        """A session of one clinic. Raises UsageError for a clinic that is not connected."""
        with self.state.open() as store, self.session_in(store, store.clinics.find(clinic_key), priority) as session:
            yield session, store

    @contextmanager
    def session_in(
        self, store: StateStore, clinic: ClinicRef, priority: Priority = "present"
    ) -> Iterator[ClinicSession]:
        """A session of one clinic on a store that is open already; threads may share the store."""
        with open_session(self.settings.read(), store, clinic, priority=priority, client=self.client.make()) as session:
            yield session

    @contextmanager
    def region_sessions(self, region: str) -> Iterator[tuple[list[ClinicSession], StateStore]]:
        """A session of every healthy clinic of a region, and the store. Raises NeedsConnect when there is none."""
        with self.state.open() as store, ExitStack() as opened:
            clinics = [clinic for clinic in store.clinics.all() if clinic.region == region]
            healthy = [clinic for clinic in clinics if clinic.status == "ok"]
            if not healthy:
                raise NeedsConnect(_nobody(region, clinics))
            yield [opened.enter_context(self.session_in(store, clinic)) for clinic in healthy], store


class WarehouseResource(dg.ConfigurableResource[None]):
    """Opens the warehouse, a file or a lake, upgraded to this version."""

    settings: dg.ResourceDependency[SettingsResource]

    def open(self) -> Warehouse:
        return open_warehouse(self.settings.read())


class ReportsResource(dg.ConfigurableResource[None]):
    """The folder of pages."""

    settings: dg.ResourceDependency[SettingsResource]

    def open(self) -> ReportStore:
        settings = self.settings.read()
        settings.prepare_data_dir()
        return open_report_store(settings)


def make_resources(
    read_settings: Callable[..., Settings], overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The resources by key. One of `overrides` replaces a resource, also where another one depends on it.

    `read_settings` is `load_settings`: the settings are made once for a run, with what the launchpad changes. A
    resource that others depend on is configured at launch: only then does Dagster give them the one of the run.
    """
    found, settings = dict(overrides or {}), read_settings()
    if "clock" not in found:
        found["clock"] = ClockResource.configure_at_launch(now=_default("now", settings))
    if "settings" not in found:
        names = [name for name in SettingsResource.model_fields if name not in {"clock", "source"}]
        defaults = {name: _default(name, settings) for name in names}
        source = SettingsSource(read_settings=read_settings, defaults=defaults)
        found["settings"] = SettingsResource.configure_at_launch(**defaults, clock=found["clock"], source=source)
    of_settings = {"settings": found["settings"]}
    found.setdefault("state", StateResource.configure_at_launch(**of_settings))
    found.setdefault("client", HttpClientResource.configure_at_launch())
    found.setdefault("warehouse", WarehouseResource(**of_settings))
    found.setdefault("reports", ReportsResource(**of_settings))
    found.setdefault("fullscript", FullscriptResource(**of_settings, state=found["state"], client=found["client"]))
    return found


def _default(name: str, settings: Settings) -> Any:
    """The variable where it is set, so that the launchpad names it; else what counts without it."""
    variable = f"FULLSCRIPT_{name.upper()}"
    value = getattr(settings, name)
    is_number = isinstance(value, int)
    if os.environ.get(variable, "").strip():
        return dg.EnvVar.int(variable) if is_number else dg.EnvVar(variable)
    if is_number:
        return value
    return "" if value is None else ",".join(value) if isinstance(value, tuple) else str(value)


def _value(field: Any) -> Any:
    """The value of a field. One that a run has left alone may still be its variable."""
    return field.get_value() if hasattr(field, "get_value") else field


def _nobody(region: str, clinics: list[Clinic]) -> str:
    if not clinics:
        return f"No clinic of region {region} is connected; run `fullscript-pipeline connect`."
    keys = ", ".join(clinic.clinic_key for clinic in clinics)
    return f"No clinic of region {region} has a working grant ({keys}); run `fullscript-pipeline connect` again."
