"""One pull of one clinic with a key, at DEBUG, with failures: nothing readable is left (`make soak` has it in full)."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills.secrecy_drill import nothing_readable_at_rest


@pytest.mark.check_all
def test_one_pull_leaves_no_secret_and_no_canary_in_any_byte(tmp_path: Path) -> None:
    nothing_readable_at_rest(tmp_path, clinics=1, steps=("pull",), patients=12)
