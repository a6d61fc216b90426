"""One case of each kind of what the soak proves in full: kills inside a load, faults on the way."""

import signal
from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills import fault_drill, kill_drill, load_drill, mutated_rounds, refusal_drill
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.s3_server import Bucket, S3Server


def test_a_load_killed_at_some_statements_leaves_the_warehouse_whole(tmp_path: Path) -> None:
    """Promise 17."""
    load_drill.kills_lose_no_row(tmp_path, every=40, random_kills=0)


@pytest.mark.check_all
def test_three_seeds_of_faults_change_nothing(tmp_path: Path) -> None:
    """Promise 19."""
    with connected_pipeline(tmp_path, clinics=1, patients=6, products=12) as connected:
        fault_drill.faults_change_nothing(connected, tmp_path / "seeds", seeds=3)


def test_a_pull_that_dies_in_the_middle_of_a_page_is_completed_by_the_next(tmp_path: Path) -> None:
    """Promise 27."""
    kill_drill.deaths_cost_a_page_a_worker(tmp_path, deaths=[(signal.SIGKILL, 12), (signal.SIGTERM, 20)])


@pytest.mark.check_all
def test_a_pull_that_dies_on_one_machine_is_completed_by_another(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, bucket: Bucket
) -> None:
    """Promise 43."""
    stores = kill_drill.Stores(postgres.url_of(str(tmp_path)), bucket.url, s3.variables)
    deaths = [(signal.SIGKILL, 12), (signal.SIGTERM, 20)]
    kill_drill.deaths_cost_a_page_a_worker(tmp_path, deaths=deaths, stores=stores)


SOME_ENDPOINTS = ("/clinic", "/clinic/labs/orders", "/clinic/patients/{patient_id}/treatment_plans")


@pytest.mark.check_all
@pytest.mark.parametrize("endpoints", [SOME_ENDPOINTS, pytest.param((), id="all", marks=pytest.mark.timeout(300))])
def test_401_from_an_endpoint_costs_no_other_table_and_no_connect(tmp_path: Path, endpoints: tuple[str, ...]) -> None:
    """Promise 36."""
    with connected_pipeline(tmp_path, clinics=1, patients=6, products=12) as connected:
        refusal_drill.a_denial_costs_a_single_table(
            connected, tmp_path, lambda path: not endpoints or path in endpoints
        )


@pytest.mark.timeout(300)
def test_twenty_seeds_of_mutated_answers_prove_nothing(tmp_path: Path) -> None:
    """Promises 33, 34 and 35."""
    mutated_rounds.mutated_answers_prove_nothing(tmp_path, seeds=20, days=2)
