"""A portal over a sandbox of two clinics, for the tests of a module. What does not belong here: assertions."""

from collections.abc import Iterator

import pytest

from fullscript_pipeline_tests.helpers.running_portal import RunningPortal, running_portal


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPortal]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        running_portal(
            tmp_path_factory.mktemp("portal"), monkeypatch, patients=9, clinics=2, assigned_patients_only=True
        ) as running,
    ):
        yield running
