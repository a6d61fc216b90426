"""Makes imports cheaper: imported objects are left out of garbage collection, and unneeded packages are hidden.

Dagster, DuckDB and the others create half a million objects that live until the process ends. To search them for
garbage during the imports and at every full collection costs a daily run a seventh of its CPU time. What does not
belong here: what to import.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

# Collection thresholds of the three generations (Python's own: 700, 10, 10).
_THRESHOLDS = (10_000, 20, 50)


@contextmanager
def freeze_imports() -> Iterator[None]:
    """Objects imported in this block are frozen: later garbage collections leave them out."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
        gc.enable()


@contextmanager
def hide_package(package: str) -> Iterator[None]:
    """Makes `import package` fail inside the block, unless it is imported already.

    DuckDB and Arrow import pandas, where it is installed, when they get their first value. No command needs it.
    """
    hidden = _HiddenPackage(package)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


class _HiddenPackage:
    """An import finder that reports one package as not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None
