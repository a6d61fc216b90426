"""Prints a line to stderr while a run waits for the request budget, also beside a progress bar.

What does not belong here: deciding when to wait (`state.request_budget`, which logs each wait at most every 10 s).
"""

import logging
import sys

from tqdm import tqdm

_LOGGER = "fullscript_pipeline.state.request_budget"


class _OnStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def log_budget_waits() -> None:
    """Prints budget waits from now on in this process; may be called again."""
    logger = logging.getLogger(_LOGGER)
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _OnStderr) for handler in logger.handlers):
        logger.addHandler(_OnStderr())
