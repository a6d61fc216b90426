"""`doctor --watch`: everything once, then only what changed, until it is stopped.

What does not belong here: what each check finds (`health`).
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fullscript_pipeline.cli import doctor as doctor_command
from fullscript_pipeline_tests.helpers.command_runs import Run


def pauses_of(monkeypatch: pytest.MonkeyPatch, *changes: Callable[[], object]) -> list[float]:
    """In each pause one change happens; after the last one the user stops the command. Returns the pauses' lengths."""
    left, lengths = list(changes), list[float]()

    def sleep(seconds: float) -> None:
        lengths.append(seconds)
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    monkeypatch.setattr(doctor_command, "time", SimpleNamespace(sleep=sleep))
    return lengths


def test_watching_prints_everything_once_and_then_what_changed(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)

    def misspell() -> None:
        monkeypatch.setenv("FULLSCRIPT_KEEP_RUNS_DAY", "60")

    def nothing() -> None:
        pass

    def correct() -> None:
        monkeypatch.delenv("FULLSCRIPT_KEEP_RUNS_DAY")

    pauses = pauses_of(monkeypatch, misspell, nothing, correct)
    watched = run("doctor", "--watch", "7", data=data)
    assert (watched.returncode, pauses) == (130, [7, 7, 7, 7])
    lines = [line for line in watched.stdout.splitlines() if not line.startswith("      fix:")]
    named = [line for line in lines if "settings.unknown" in line]
    assert [line.split()[0] for line in named] == ["pass", "warn", "pass"], watched.stdout
    once = {line for line in lines if line not in named}
    assert len(once) == len(lines) - len(named), "a check that did not change is printed once"
    assert "UTC: pass before" in watched.stderr and "UTC: warn before" in watched.stderr
    assert watched.stderr.count("warnings,") == 3, "no counts when nothing changed"


@pytest.mark.parametrize("seconds", ["0", "4", "86401", "soon"])
def test_a_pause_has_bounds(seconds: str, tmp_path: Path, run: Run) -> None:
    assert run("doctor", "--watch", seconds, data=tmp_path / "data").returncode == 2
