"""The full numbers of the sessions' promises (11, 12, 13, 20)."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills import request_budget_drill, token_rotation_drill

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_eight_processes_four_threads_fifty_expiries(tmp_path: Path) -> None:
    token_rotation_drill.a_single_refresh_per_expiry(tmp_path, processes=8, threads=4, expiries=50)


def test_three_hundred_kills(tmp_path: Path) -> None:
    token_rotation_drill.kills_cost_no_sign_in(tmp_path, kills=300)


def test_a_hundred_lost_answers(tmp_path: Path) -> None:
    token_rotation_drill.lost_answers_are_recovered(tmp_path, answers=100)


def test_four_processes_and_twenty_thousand_calls(tmp_path: Path) -> None:
    figures = request_budget_drill.the_limit_is_never_passed(
        tmp_path, processes=4, threads=4, limit=4000, window=30, calls=20_000
    )
    assert figures["counted"] == 20_000
    assert figures["throughput"] >= 0.95
    assert figures["slowest_share"] >= 0.6


def test_a_backfill_uses_what_its_lane_allows(tmp_path: Path) -> None:
    figures = request_budget_drill.the_limit_is_never_passed(
        tmp_path, processes=2, threads=4, limit=4000, window=30, calls=12_000, priority="backfill"
    )
    assert figures["throughput"] >= 0.95
