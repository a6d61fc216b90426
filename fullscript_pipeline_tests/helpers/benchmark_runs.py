"""Runs a benchmark through its own command line, as somebody starts it.

What does not belong here: which benchmarks there are.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"


def run(name: str, *sizes: str) -> str:
    """What the benchmark prints, as somebody starts it with no setting of ours around."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FULLSCRIPT_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", *sizes],
        env=environment | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_small(name: str, sizes: tuple[str, ...], figures: str) -> None:
    """Requires that what it prints has its figures."""
    printed = run(name, *sizes)
    assert re.search(figures, printed), printed


def run_at_its_defaults(name: str) -> None:
    """For a person who reads the figures."""
    printed = run(name)
    sys.stdout.write(f"\n{name}\n{printed}")
    assert re.search(r"\d", printed)
