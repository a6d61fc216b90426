"""The full numbers of the extraction's promises (17, 19, 21, 27, 33, 34, 35)."""

import signal
from pathlib import Path
from random import Random

import pytest

from fullscript_pipeline_tests.drills import fault_drill, kill_drill, load_drill, mutated_rounds, schema_drift_drill
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def test_every_statement_and_two_hundred_random_kills(tmp_path: Path) -> None:
    load_drill.kills_lose_no_row(tmp_path, every=1, random_kills=200)


def test_a_hundred_seeds_of_faults(tmp_path: Path) -> None:
    with connected_pipeline(tmp_path, clinics=1, patients=8, products=12) as connected:
        fault_drill.faults_change_nothing(connected, tmp_path / "seeds", seeds=100)


def test_a_thousand_histories(tmp_path: Path) -> None:
    schema_drift_drill.drift_loses_nothing(tmp_path, histories=1000)


def test_deaths_in_the_middle_of_a_page(tmp_path: Path) -> None:
    rng = Random(27)
    deaths = [(rng.choice((signal.SIGKILL, signal.SIGTERM)), rng.randrange(1, kill_drill.PAGES)) for _ in range(40)]
    kill_drill.deaths_cost_a_page_a_worker(tmp_path, deaths=deaths)


def test_a_thousand_seeds_of_mutated_answers(tmp_path: Path) -> None:
    mutated_rounds.mutated_answers_prove_nothing(tmp_path, seeds=1000, days=25)
