"""Every benchmark runs through its own command line: small in `make check-all`, at its defaults in `make soak`.

What is slow is not judged; a benchmark fails by itself where a promise does not depend on the machine. Those that start
processes of their own are in `test_benchmarks_of_processes`: a file is one worker's.
"""

import pytest

from fullscript_pipeline_tests.helpers.benchmark_runs import FOLDER, run_at_its_defaults, run_small

# A small size of each, and what it prints of its figures.
BENCHMARKS = {
    "adherence": (("3000", "600"), r"mart of 100 touched patients among them: [\d.]+ s CPU"),
    "catalog": (("300", "4"), r"the whole change table from nothing .* peak +[\d,]+ MiB"),
    "doctor": (("300",), r"is a refresh queued, one clinic +[\d.]+ CPU s"),
    "ingest": (("--orders", "300", "--patients", "150", "--without", "dlt"), r"\| floor, again \| [\d.]+ \| [\d.]+ "),
    "key_rotation": (("20", "5"), r"warehouse, \d+ MB: [\d.]+ s, [\d.]+ CPU s, [\d.]+ MB/s"),
    "merge": (("3000000", "10000"), r"10000 orders the same again: .* 0 written, peak \d+ MB"),
    "pages": (("25",), r"a page; 25 cost [\d.]+ times 2\n.*workbook [\d,]+ kB, ZIP [\d,]+ kB"),
    "session": (("5",), r"session [\d.]+ ms: [-+][\d.]+ ms, ratio [\d.]+"),
    "structure": ((), r"one price, to the digest +\d+ functions, \d+ files"),
}
OF_PROCESSES = {"freshness", "night", "portal", "receiver", "start"}
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


def test_every_benchmark_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == BENCHMARKS.keys() | OF_PROCESSES | PARTS


@pytest.mark.check_all
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_small(name: str) -> None:
    run_small(name, *BENCHMARKS[name])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_at_its_defaults(name: str) -> None:
    run_at_its_defaults(name)
