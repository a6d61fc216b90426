"""A healthy installation, for the tests of this folder."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.connected_clinic import connect, settings_for
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.healthy_setup import KEY, Ready, record_pull
from fullscript_pipeline_tests.helpers.sandbox_server import running_sandbox


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    """A connected clinic whose warehouse says that it was pulled a moment ago; nothing is open."""
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri()) as sandbox,
        settings_for(sandbox, tmp_path / "data", FULLSCRIPT_ENCRYPTION_KEY=KEY) as settings,
    ):
        with StateStore.open(settings) as store:
            clinic = connect(settings, store, sandbox, next(iter(sandbox.clinics)))
        record_pull(settings, clinic.clinic_id, timedelta())
        yield sandbox, settings, clinic
