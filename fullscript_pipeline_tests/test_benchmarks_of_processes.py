"""The benchmarks that start the UI, the portal, the receiver or runs; `test_benchmarks` has the others."""

import pytest

from fullscript_pipeline_tests.helpers.benchmark_runs import run_at_its_defaults, run_small

BENCHMARKS = {
    "freshness": (
        ("--orders", "1", "--refreshes", "1", "--clinics", "1", "--idle", "2"),
        r"order.placed to page, daemon running: n=1 median=[\d.]+s",
    ),
    "night": (("2", "8", "1"), r"among 2 clinics \([\d,]+ rows, [\d,]+ MiB\): [\d.]+ CPU s, [\d.]+ times"),
    "portal": (("--seconds", "3"), r"all +150 answers .*\nerrors: 0 "),
    "receiver": (("--seconds", "2", "--rate", "20", "--burst", "20"), r"burst of 20 in 1 s, DuckDB held: .* lost=0"),
    "start": (("15",), r"a clinic's day, nothing changed +[\d.]+ s wall"),
}


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
