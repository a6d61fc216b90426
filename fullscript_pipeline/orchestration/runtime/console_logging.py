"""The console logger of a run, which keeps Dagster's messages out of a terminal that shows progress.

Two private names of Dagster are replaced where log lines are JSON (`print_json_by_default`); they are pinned with
Dagster's version and tested. What does not belong here: what a command prints (`cli`), and Dagster's event log.
"""

import logging
import sys
from typing import Any

import dagster as dg
from dagster._core.definitions import instigation_logger
from dagster._core.execution import context_creation_job

from fullscript_pipeline.json_lines import JsonFormatter, json_handler
from fullscript_pipeline.settings import Settings

_level = logging.INFO
# Dagster warns here of each blocking check without a result: in a cell whose day is over no table is made, so none is
# checked, and the step has said so.
_UNCHECKED = logging.getLogger("dagster._core.execution.plan.active")
_JSON_EVENTS = frozenset(
    {
        *(dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE),
        *(dg.DagsterEventType.RUN_CANCELED, dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS),
        *(dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SKIPPED, dg.DagsterEventType.STEP_UP_FOR_RETRY),
        *(dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION),
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    }
)


def quiet() -> None:
    """Turns the console log off for headless runs: the command line prints the outcome, the event log has the rest."""
    global _level  # noqa: PLW0603 - one switch per process, set before any run
    _level = logging.CRITICAL + 1
    logging.getLogger("dagster").setLevel(_level)


def make_console(settings: Settings) -> dg.LoggerDefinition:
    """The logger of runs: time and message to stderr, or JSON lines where the settings say so.

    The JSON lines include what happens to the run, its steps and its assets, which Dagster logs as DEBUG.
    """
    is_json = settings.log_format == "json"
    _UNCHECKED.addFilter(_is_no_missing_check)

    def start(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("fullscript_pipeline.run", level=_level)
        handler = logging.StreamHandler(sys.stderr)
        text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
        handler.setFormatter(JsonFormatter() if is_json else text)
        logger.addHandler(handler)
        if is_json and _level <= logging.INFO:
            logger.setLevel(logging.DEBUG)
            handler.addFilter(_is_printed_as_json)
            # What other loggers of this process say, which nobody else prints.
            logging.lastResort = json_handler(logging.WARNING)
        return logger

    return dg.LoggerDefinition(start, description="Time and message, to stderr; JSON with FULLSCRIPT_LOG_FORMAT=json.")


def print_json_by_default(settings: Settings) -> None:
    """JSON lines of runs and sensors that the daemon or the UI started: their config names no logger.

    For this process; does nothing unless the settings say JSON.
    """
    if settings.log_format != "json":
        return
    console = make_console(settings)
    of_runs: Any = context_creation_job
    of_sensors: Any = instigation_logger
    of_runs.default_system_loggers = lambda _instance: [(console, {})]
    of_sensors.create_console_logger = _make_json_logger
    for handler in logging.getLogger("dagster").handlers:
        handler.setFormatter(JsonFormatter())


def _make_json_logger(name: str, level: str | int) -> logging.Logger:
    logger = logging.Logger(name, level=level)
    logger.addHandler(json_handler())
    return logger


def _is_printed_as_json(record: logging.LogRecord) -> bool:
    event: dg.DagsterEvent | None = (getattr(record, "dagster_meta", None) or {}).get("dagster_event")
    return record.levelno >= logging.INFO or (event is not None and event.event_type in _JSON_EVENTS)


def _is_no_missing_check(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Blocking asset check")
