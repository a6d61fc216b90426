"""Log lines as JSON (`FULLSCRIPT_LOG_FORMAT=json`): one object a line, with the run's id where a run wrote it.

A line has `time` (UTC), `level`, `message` and, of a run, `run_id`, `job`, `step` and `event`. An exception is named by
its type only, since its text may hold a record. What does not belong here: what is logged, and where to.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from fullscript_pipeline.job_names import plain_job_name

_RUN_FIELDS = {"run_id": "run_id", "job": "job_name", "step": "step_key"}


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON; one of Dagster's with its run."""

    def format(self, record: logging.LogRecord) -> str:
        dagster = getattr(record, "dagster_meta", None) or {}
        fields = {name: dagster.get(key) for name, key in _RUN_FIELDS.items()}
        if job := fields["job"]:
            fields["job"] = plain_job_name(job)
        event = getattr(dagster.get("dagster_event"), "event_type_value", None)
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        message = dagster.get("orig_message") or record.getMessage()
        # Dagster logs what happens to a run as DEBUG, which collectors of logs leave out.
        level = "info" if event and record.levelno < logging.INFO else record.levelname
        return json_line(level, message, **fields, event=event, error=error, logger=record.name)


def json_line(level: str, message: str, **fields: str | None) -> str:
    """One line; fields that are None are left out."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    given = {name: text for name, text in fields.items() if text is not None}
    return json.dumps({"time": time, "level": level.lower(), "message": message, **given}, ensure_ascii=False)


def json_handler(level: int = logging.INFO) -> logging.Handler:
    """Writes JSON lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(JsonFormatter())
    return handler
