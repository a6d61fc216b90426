"""What a command's imports cost: no search for garbage among them, and not what it has no use for.

Dagster, DuckDB and the rest make half a million objects that stay until the end; searching them while they are made,
and at every full collection after, costs a daily run a seventh of its CPU time. What does not belong here: what to
import.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

# New objects before a look at the youngest, and looks before one at the older ones (Python's own: 700, 10, 10).
_THRESHOLDS = (10_000, 20, 50)


@contextmanager
def freeze_imports() -> Iterator[None]:
    """What is imported in this block is left out of every later search."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
        gc.enable()


@contextmanager
def hide_package(package: str) -> Iterator[None]:
    """In this block the process takes `package` for one that is not installed, unless it is imported already.

    DuckDB and Arrow look for pandas at the first value they are given, and import it where it is installed; no command
    has a use for it, and a notebook is no command.
    """
    hidden = _HiddenPackage(package)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


class _HiddenPackage:
    """Says of one package that there is none."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None
