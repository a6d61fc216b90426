"""Waiting for what comes by itself, as long as a loaded machine may need and no longer.

What does not belong here: how long something may take (`benchmarks/`).
"""

import time
from collections.abc import Callable


def wait(until: Callable[[], bool], seconds: float = 20, every: float = 0.02) -> bool:
    """Whether `until` came true within `seconds`; it is asked again after `every`."""
    deadline = time.monotonic() + seconds
    while not (done := until()) and time.monotonic() < deadline:
        time.sleep(every)
    return done
