"""The resources of a run: what the launchpad shows of them, and that an override counts wherever a step uses it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import fullscript_pipeline
from fullscript_pipeline.api import HttpClient
from fullscript_pipeline.api.http import HttpRequest, HttpResponse
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.orchestration.runtime.resources import (
    ClockResource,
    HttpClientResource,
    StateResource,
    WarehouseResource,
    make_resources,
)
from fullscript_pipeline.settings import declared_settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

DAY = date(2026, 11, 22)


def shown(resource: str) -> dict[str, Any]:
    """What the launchpad fills in for a resource."""
    schema: Any = build_defs(load_settings).resolve_job_def("clinic_daily").run_config_schema.config_type
    fields = schema.fields["resources"].config_type.fields[resource].config_type.fields
    return dict(fields["config"].default_value)


def test_the_launchpad_shows_settings_by_their_variables_and_never_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_SWEEP_DAYS", "9")
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "a-long-and-secret-canary-of-this-test")
    fields = shown("settings") | shown("clock")
    assert fields["sweep_days"] == {"env": "FULLSCRIPT_SWEEP_DAYS"}
    assert fields["orders_trailing_days"] == 60
    variables = {f"FULLSCRIPT_{name.upper()}" for name in fields}
    settings = declared_settings()
    assert variables <= settings.keys()
    assert not [variable for variable in variables if settings[variable].is_secret]
    assert "canary" not in str(fields)


def test_a_run_may_be_given_other_settings_and_a_bad_value_has_its_sentence() -> None:
    read: list[Any] = []

    @dg.op
    def look(warehouse: WarehouseResource, state: StateResource) -> None:
        read.append((warehouse.settings.read(), state.settings.read()))

    @dg.job(resource_defs=make_resources(load_settings))
    def job() -> None:
        look()

    def config(**fields: Any) -> dict[str, Any]:
        return {"resources": {"settings": {"config": fields}}}

    job.execute_in_process(run_config=config(sweep_days=5, extras="addresses"))
    for settings in read[0]:
        assert (settings.sweep_days, settings.extras) == (5, ("addresses",))
        assert settings.orders_trailing_days == load_settings().orders_trailing_days
    with pytest.raises(Exception, match="FULLSCRIPT_SWEEP_DAYS is '0'; set a whole number from 1 to 365"):
        job.execute_in_process(run_config=config(sweep_days=0))


class _Elsewhere(WarehouseResource):
    folder: str

    def open(self) -> Warehouse:
        return open_warehouse(self.settings.read().model_copy(update={"data_dir": Path(self.folder)}))


class _OtherState(StateResource):
    path: str

    @contextmanager
    def open(self) -> Iterator[StateStore]:
        with StateStore(Path(self.path)) as store:
            yield store


_sent: list[str] = []


class _RecordingClient(HttpClient):
    def send(self, request: HttpRequest) -> HttpResponse:
        _sent.append(request.endpoint)
        return super().send(request)


class _Recording(HttpClientResource):
    def make(self) -> HttpClient:
        return _RecordingClient()


def test_an_override_reaches_every_use_in_a_step(tmp_path: Path) -> None:
    with connected_pipeline(tmp_path, clinics=1, patients=5, products=10) as connected:
        (clinic,) = connected.store.clinics.all()
        os.environ["FULLSCRIPT_DATA_DIR"] = str(tmp_path / "untouched")
        # Nobody is connected in that directory, so its grid would begin with the machine's today.
        os.environ["FULLSCRIPT_START_DATE"] = DAY.isoformat()
        del os.environ["FULLSCRIPT_NOW"]
        clock = ClockResource.configure_at_launch(now=f"{DAY}T13:00:00+00:00")
        plain = make_resources(load_settings, {"clock": clock})
        overrides = {
            "clock": clock,
            "settings": plain["settings"],
            "warehouse": _Elsewhere(settings=plain["settings"], folder=str(tmp_path / "elsewhere")),
            "state": _OtherState.configure_at_launch(
                settings=plain["settings"], path=str(connected.settings.state_path)
            ),
            "client": _Recording.configure_at_launch(),
        }
        job = build_defs(load_settings, overrides).resolve_job_def("clinic_daily")
        people = [dg.AssetKey(["core", name]) for name in ("practitioners", "staff")]
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("clinics", [clinic.clinic_key])
            run_key = clinic_partition(clinic.clinic_key, DAY)
            run = job.execute_in_process(instance=instance, partition_key=run_key, asset_selection=people)
            assert run.success
            del os.environ["FULLSCRIPT_US_SND_CLIENT_ID"]
            failed = job.execute_in_process(
                instance=instance, partition_key=run_key, asset_selection=people, raise_on_error=False
            )
        (failure,) = [event.step_failure_data for event in failed.all_events if event.is_step_failure]
        assert "set FULLSCRIPT_US_SND_CLIENT_ID" in str(failure.user_failure_data)
        settings = connected.settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
        with open_warehouse(settings).read() as con:
            observed = con.execute("SELECT DISTINCT observed_at FROM ops.pulls").fetchall()
    assert {f"{at:%Y-%m-%dT%H:%M}" for (at,) in observed} == {f"{DAY}T13:00"}
    assert {"practitioners", "staff"} <= set(_sent)
    assert list((tmp_path / "elsewhere" / "landing").rglob("*")), "landed beside the warehouse that it is loaded into"
    assert not (tmp_path / "untouched").exists()
    assert not (tmp_path / "data" / "fullscript.duckdb").exists()


def test_settings_are_made_at_the_entries() -> None:
    """A command, the code location, the portal, and Dagster's web server and daemon; everything else is given them."""
    package = Path(fullscript_pipeline.__file__).parent
    calls = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"load_settings[()]", path.read_text(encoding="utf-8")) and path.parent.name != "settings"
    }
    assert calls == {"cli/command_settings.py", "cli/web.py", "definitions.py", "orchestration/program_start.py"}
