"""Log lines as JSON: one object a line, the run's id in each of a run's, no text of an exception."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions import instigation_logger
from dagster._core.execution import context_creation_job

from fullscript_pipeline.cli import console
from fullscript_pipeline.json_lines import JsonFormatter
from fullscript_pipeline.orchestration.runtime import console_logging, make_console, print_json_by_default
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.command_runs import Run

SECRET = "Maria Example, born 1980-01-01"


@dg.op
def works(context: dg.OpExecutionContext) -> None:
    context.log.info("two\nlines")


@dg.op
def fails() -> None:
    raise ValueError(SECRET)


@pytest.fixture(autouse=True)
def _not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A headless command of a test before this one has turned the process's console log off."""
    monkeypatch.setattr(console_logging, "_level", logging.INFO)


def test_a_runs_lines_are_json_with_its_id(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's
    monkeypatch.setenv("FULLSCRIPT_LOG_FORMAT", "json")
    graph = dg.GraphDefinition(name="both", node_defs=[works, fails])
    job = graph.to_job(logger_defs={"console": make_console(load_settings())})
    result = job.execute_in_process(run_config={"loggers": {"console": {}}}, raise_on_error=False)
    logging.getLogger("another.library").warning("seen too")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    of_run = [line for line in lines if line["logger"] != "another.library"]
    assert len(lines) == len(of_run) + 1 and of_run
    assert {line["run_id"] for line in of_run} == {result.run_id}
    assert {"level": "info", "message": "two\nlines", "job": "both", "step": "works"}.items() <= next(
        line for line in of_run if "two" in line["message"]
    ).items()
    assert all(line["level"] != "debug" for line in of_run)
    events = [line["event"] for line in of_run if "event" in line]
    assert sorted(set(events)) == ["PIPELINE_FAILURE", "PIPELINE_START", "STEP_FAILURE", "STEP_START", "STEP_SUCCESS"]
    assert events.count("STEP_START") == 2, "one line an event"
    assert SECRET not in json.dumps(lines)


def test_what_the_daemon_starts_logs_json_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs name no logger in their config, and sensors have none of a run."""
    for module, name in (
        (context_creation_job, "default_system_loggers"),
        (instigation_logger, "create_console_logger"),
        (logging, "lastResort"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setenv("FULLSCRIPT_LOG_FORMAT", "json")
    print_json_by_default(load_settings())
    result = dg.GraphDefinition(name="both", node_defs=[works]).to_job().execute_in_process()
    instigation_logger.InstigationLogger(repository_name="r", instigator_name="s").info("seen")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {line.get("run_id") for line in lines} == {result.run_id, None}
    (of_sensor,) = [line for line in lines if "run_id" not in line]
    assert of_sensor["message"] == "seen"
    assert "STEP_SUCCESS" in {line.get("event") for line in lines}


def test_checks_of_a_table_that_was_not_made_are_not_missed(caplog: pytest.LogCaptureFixture) -> None:
    """Dagster warned of each of them when somebody materialized a cell whose day is over."""

    @dg.multi_asset(specs=[dg.AssetSpec("first", skippable=True)])
    def first() -> Iterator[dg.MaterializeResult[None]]:
        yield from ()

    @dg.asset_check(asset="first", blocking=True)
    def is_sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    @dg.multi_asset(specs=[dg.AssetSpec("second", deps=["first"])])
    def second() -> Iterator[dg.MaterializeResult[None]]:
        yield dg.MaterializeResult("second")

    make_console(load_settings())
    defs = dg.Definitions(
        assets=[first, second], asset_checks=[is_sound], jobs=[dg.define_asset_job("all_of_them", "*")]
    )
    assert defs.resolve_job_def("all_of_them").execute_in_process().success
    assert "emitted no result" not in caplog.text


def test_an_exception_is_named_by_its_type_only() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        about = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "It failed.", None, about)
    line = json.loads(JsonFormatter().format(record))
    assert (line["message"], line["error"], line["level"]) == ("It failed.", "ValueError", "error")


def test_messages_of_commands_are_json_and_data_stay_as_they_are(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_is_json", False)
    data = tmp_path / "data"
    shown = run("doctor", "--json", data=data, FULLSCRIPT_LOG_FORMAT="json")
    (counts,) = [json.loads(line) for line in shown.stderr.splitlines()]
    assert counts["level"] == "info" and "passed" in counts["message"]
    assert all("state" in json.loads(line) for line in shown.stdout.splitlines())
    refused = run("pull", data=data, FULLSCRIPT_LOG_FORMAT="json")
    (error,) = [json.loads(line) for line in refused.stderr.splitlines()]
    assert refused.returncode == 77 and error["level"] == "error" and "connect" in error["message"]
    wrong = run("clinics", data=data, FULLSCRIPT_LOG_FORMAT="xml")
    assert wrong.returncode == 78 and "text or json" in wrong.stderr
