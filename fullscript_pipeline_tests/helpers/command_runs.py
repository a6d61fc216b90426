"""Runs the console script in the process of the test: exit code, stdout, stderr.

What does not belong here: commands in processes of their own, and what they print.
"""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fullscript_pipeline.cli.main import main


@dataclass
class Finished:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Finished]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The console script's entry point, in this process (one start of Dagster is enough), in an empty folder."""

    def run(*arguments: str, data: Path, **variables: str) -> Finished:
        for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
            monkeypatch.delenv(name)
        # `ui` sets Dagster's home: taken back at the end.
        for name, value in {"FULLSCRIPT_DATA_DIR": str(data), "DAGSTER_HOME": "", **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("DAGSTER_HOME")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        with pytest.raises(SystemExit) as stopped:
            main()
        output = capfd.readouterr()
        return Finished(int(stopped.value.code or 0), output.out, output.err)

    return run
