"""`/metrics`: figures without a person, on loopback, only where a port is set."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fullscript_pipeline.health.metrics import render_metrics, serve_metrics
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.schema import MIGRATIONS
from fullscript_pipeline_tests.helpers.free_ports import free_port

ALERTS = Path(__file__).parents[2] / "deploy" / "alerts.yaml"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_METRICS_PORT", str(free_port()))
    made = load_settings()
    made.prepare_data_dir()
    with StateStore(made.state_path):
        return made


parse: Any = text_string_to_metric_families


def families(text: bytes) -> dict[str, Any]:
    return {family.name: family for family in parse(text.decode())}


def test_the_figures_are_open_metrics(settings: Settings) -> None:
    assert {"fullscript_up", "fullscript_inbox_deliveries", "fullscript_token_age_seconds"} <= families(
        render_metrics(settings)
    ).keys()


def samples(text: bytes) -> dict[str, float]:
    return {sample.name: sample.value for family in parse(text.decode()) for sample in family.samples}


def test_a_store_without_a_clinic_is_up_and_has_no_age(settings: Settings) -> None:
    figures = samples(render_metrics(settings))
    assert figures["fullscript_up"] == 1 and figures["fullscript_inbox_deliveries"] == 0
    assert "fullscript_inbox_oldest_seconds" not in figures, "nothing waits, so nothing has an age"


@pytest.mark.parametrize("version", [len(MIGRATIONS) - 1, len(MIGRATIONS) + 1])
def test_a_store_of_another_version_gives_no_figure(settings: Settings, version: int) -> None:
    """Only that it cannot be read: what was not read is no 0."""
    with closing(sqlite3.connect(settings.state_path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    assert samples(render_metrics(settings)) == {"fullscript_up": 0}


def test_a_store_of_which_a_part_cannot_be_read_gives_no_figure(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.state_path)) as connection:
        connection.execute("DROP TABLE webhook_inbox")
    assert samples(render_metrics(settings)) == {"fullscript_up": 0}


def test_every_alert_names_figures_that_exist() -> None:
    source = Path(__file__).parents[2] / "fullscript_pipeline/health/metrics.py"
    made = set(re.findall(r'"([a-z_]+)"', source.read_text()))
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"fullscript_([a-z_]+)", rule["expr"])}
    assert rules and named <= made


def test_it_is_served_on_loopback_to_loopback_names_only(settings: Settings) -> None:
    with serve_metrics(settings), httpx.Client(trust_env=False) as client:
        address = f"http://127.0.0.1:{settings.metrics_port}"
        answer = client.get(f"{address}/metrics")
        assert answer.status_code == 200 and answer.text.endswith("# EOF\n")
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert client.get(address).status_code == 404
        assert client.get(f"{address}/metrics", headers={"Host": "elsewhere.test"}).status_code == 404


def test_without_a_port_nothing_listens(settings: Settings) -> None:
    port = settings.metrics_port
    with serve_metrics(settings.model_copy(update={"metrics_port": 0})), pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
