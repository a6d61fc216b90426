"""The full numbers of the webhook receiver's promises (1, 3, 4, 5, 7, 8, 9), and two of them in middle size."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills import hostile_api_drill, webhook_drill

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.soak
def test_ten_thousand_forgeries(tmp_path: Path) -> None:
    webhook_drill.forgeries_are_refused(tmp_path, number=10_000)


@pytest.mark.soak
def test_five_thousand_during_a_key_roll(tmp_path: Path) -> None:
    webhook_drill.a_key_roll_loses_nothing(tmp_path, number=5000)


@pytest.mark.soak
def test_fifty_kills_and_fifty_thousand_acknowledgements(tmp_path: Path) -> None:
    webhook_drill.acknowledged_is_durable(tmp_path, kills=50, acks=50_000)


@pytest.mark.check_all
def test_five_kills_and_two_thousand_acknowledgements(tmp_path: Path) -> None:
    webhook_drill.acknowledged_is_durable(tmp_path, kills=5, acks=2000)


@pytest.mark.soak
def test_the_deadline_while_a_long_run_holds_the_warehouse(tmp_path: Path) -> None:
    webhook_drill.the_deadline_holds(tmp_path, seconds=120)


@pytest.mark.soak
def test_duplicates_and_order(tmp_path: Path) -> None:
    webhook_drill.duplicates_and_order_do_not_matter(tmp_path, events=1000, histories=3)


@pytest.mark.soak
def test_ten_thousand_fuzzed_requests(tmp_path: Path) -> None:
    hostile_api_drill.the_endpoint_never_disables_itself(tmp_path, number=10_000)


@pytest.mark.soak
def test_a_gigabyte_and_worse(tmp_path: Path) -> None:
    hostile_api_drill.hostile_bodies_are_bounded(tmp_path, megabytes=1000)


@pytest.mark.check_all
def test_sixty_megabytes_and_worse(tmp_path: Path) -> None:
    hostile_api_drill.hostile_bodies_are_bounded(tmp_path, megabytes=60)
