"""Every benchmark runs through its own command line: small in `make check-all`, at its defaults in `make soak`.

What is slow is not judged; a benchmark fails by itself where a promise does not depend on the machine.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
# A small size of each, and what it prints of its figures.
BENCHMARKS = {
    "adherence": (("3000", "600"), r"mart of 100 touched patients among them: [\d.]+ s CPU"),
    "catalog": (("300", "4"), r"the whole change table from nothing .* peak +[\d,]+ MiB"),
    "doctor": (("300",), r"is a refresh queued, one clinic +[\d.]+ CPU s"),
    "freshness": (
        ("--orders", "1", "--refreshes", "1", "--clinics", "1", "--idle", "2"),
        r"order.placed to page, daemon running: n=1 median=[\d.]+s",
    ),
    "ingest": (("--orders", "300", "--patients", "150", "--without", "dlt"), r"\| floor, again \| [\d.]+ \| [\d.]+ "),
    "key_rotation": (("20", "5"), r"warehouse, \d+ MB: [\d.]+ s, [\d.]+ CPU s, [\d.]+ MB/s"),
    "merge": (("3000000", "10000"), r"10000 orders the same again: .* 0 written, peak \d+ MB"),
    "night": (("2", "8", "1"), r"among 2 clinics \([\d,]+ rows, [\d,]+ MiB\): [\d.]+ CPU s, [\d.]+ times"),
    "pages": (("25",), r"a page; 25 cost [\d.]+ times 2\n.*workbook [\d,]+ kB, ZIP [\d,]+ kB"),
    "portal": (("--seconds", "3"), r"all +150 answers .*\nerrors: 0 "),
    "receiver": (("--seconds", "2", "--rate", "20", "--burst", "20"), r"burst of 20 in 1 s, DuckDB held: .* lost=0"),
    "session": (("5",), r"session [\d.]+ ms: [-+][\d.]+ ms, ratio [\d.]+"),
    "structure": ((), r"one price, to the digest +\d+ functions, \d+ files"),
    "start": (("15",), r"a clinic's day, nothing changed +[\d.]+ s wall"),
}
# Started by `ingest`, or imported by several; `bench` starts the others (`make bench`).
PARTS = {
    "adherence_clinic",
    "bench",
    "ingest_dlt",
    "ingest_floor",
    "ingest_measure",
    "ingest_ours",
    "ingest_server",
    "peak_memory",
}


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


def test_every_benchmark_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == BENCHMARKS.keys() | PARTS


@pytest.mark.check_all
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_small(name: str) -> None:
    sizes, figures = BENCHMARKS[name]
    printed = run(name, *sizes)
    assert re.search(figures, printed), printed


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_at_its_defaults(name: str) -> None:
    printed = run(name)
    sys.stdout.write(f"\n{name}\n{printed}")
    assert re.search(r"\d", printed)
