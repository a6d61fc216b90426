"""Settings are read in an empty folder, and from no variable of ours."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
