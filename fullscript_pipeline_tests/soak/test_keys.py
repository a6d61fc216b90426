"""Keys change under kills: some in `make check-all`, the full number in `make soak`."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills.key_rotation_drill import kills_lose_nothing


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FULLSCRIPT_ENCRYPTION_KEY", raising=False)


@pytest.mark.check_all
@pytest.mark.timeout(300)
def test_six_kills(tmp_path: Path) -> None:
    kills_lose_nothing(tmp_path, kills=6, patients=2_000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_three_hundred_kills(tmp_path: Path) -> None:
    kills_lose_nothing(tmp_path, kills=300)
