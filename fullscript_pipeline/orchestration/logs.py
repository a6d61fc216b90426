"""The console log of a run: Dagster's own chatter stays out of a terminal that shows progress."""

import logging
import sys

import dagster as dg

_level = logging.INFO


def quiet() -> None:
    """For headless runs: the command line says what happened; the run's events keep everything."""
    global _level  # noqa: PLW0603 - one switch per process, set before any run
    _level = logging.CRITICAL + 1
    logging.getLogger("dagster").setLevel(_level)


@dg.logger(description="Time and message, to stderr.")
def console(context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("fullscript_pipeline.run", level=_level)  # noqa: LOG001 - Dagster wants a fresh one per run
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger
