"""What holds for every test: a module leaves the environment as it found it.

What does not belong here: fixtures of one room.
"""

import os
from collections.abc import Iterator

import pytest

# pytest's own, and what opening an instance sets for Dagster.
_MAY_CHANGE = {"PYTEST_CURRENT_TEST", "DAGSTER_HOME"}


@pytest.fixture(scope="module", autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    """A clock or a data directory that one module leaves behind makes another one fail, or pass."""
    before = dict(os.environ)
    yield
    changed = {name for name, _ in before.items() ^ os.environ.items()} - _MAY_CHANGE
    os.environ.clear()
    os.environ.update(before)
    assert not changed, f"These variables were left behind: {', '.join(sorted(changed))}."
