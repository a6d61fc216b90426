"""Receivers for tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.running_receiver import Receiver, receiving


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """For tests that store nothing."""
    with receiving(tmp_path_factory.mktemp("receiver")) as one:
        yield one


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as one:
        yield one
