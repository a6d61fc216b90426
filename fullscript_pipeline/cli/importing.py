"""Importing a great many modules without looking for garbage among them.

Dagster, DuckDB and the rest make half a million objects that stay until the end; searching them while they are made,
and at every full collection after, costs a daily run a seventh of its CPU time. What does not belong here: what to
import.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects before a look at the youngest, and looks before one at the older ones (Python's own: 700, 10, 10).
_THRESHOLDS = (10_000, 20, 50)


@contextmanager
def for_good() -> Iterator[None]:
    """What is imported in this block is left out of every later search."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
        gc.enable()
