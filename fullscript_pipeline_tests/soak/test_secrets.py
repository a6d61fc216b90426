"""Promise 15 in full: three clinics, pulls and a refresh, all faults, and everything that data leaves by."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills.secrecy_drill import nothing_readable_at_rest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_no_secret_and_no_canary_in_any_byte_at_rest(tmp_path: Path) -> None:
    nothing_readable_at_rest(tmp_path, clinics=3, steps=("pull", "refresh", "pull"), patients=15, outlets=True)
