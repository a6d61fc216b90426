"""The console logger of a run, which keeps Dagster's messages out of a terminal that shows progress.

What does not belong here: what a command prints (`cli`), and Dagster's event log.
"""

import logging
import sys

import dagster as dg

_level = logging.INFO


def quiet() -> None:
    """Turns the console log off for headless runs: the command line prints the outcome, the event log has the rest."""
    global _level  # noqa: PLW0603 - one switch per process, set before any run
    _level = logging.CRITICAL + 1
    logging.getLogger("dagster").setLevel(_level)


def _console(context: dg.InitLoggerContext) -> logging.Logger:
    """Time and message, to stderr."""
    logger = logging.Logger("fullscript_pipeline.run", level=_level)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger


console = dg.LoggerDefinition(_console, description="Time and message, to stderr.")
