"""Processes with data directories of their own and one state store on PostgreSQL: what two machines share."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.drills import request_budget_drill, token_rotation_drill
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.vendor_client import (
    ENCRYPTION_KEY,
    Told,
    payload,
    post,
    receiver_process,
    signed,
)


@pytest.fixture(autouse=True)
def backend() -> None:
    """Not once for each database, as the other tests of this folder."""


@pytest.mark.parametrize(
    "expiries", [pytest.param(10, marks=pytest.mark.check_all), pytest.param(200, marks=pytest.mark.soak)]
)
def test_no_refresh_token_is_used_twice(tmp_path: Path, postgres: PostgresServer, expiries: int) -> None:
    token_rotation_drill.a_single_refresh_per_expiry(
        tmp_path, processes=2, threads=4, expiries=expiries, state_url=postgres.url_of(str(tmp_path))
    )


@pytest.mark.check_all
def test_receivers_share_one_inbox(tmp_path: Path, postgres: PostgresServer) -> None:
    """As behind a balancer: each delivery comes to one of them, and again to the other."""
    address = postgres.url_of(str(tmp_path))
    with (
        receiver_process(tmp_path / "one", FULLSCRIPT_STATE_URL=address) as one,
        receiver_process(tmp_path / "two", FULLSCRIPT_STATE_URL=address) as two,
    ):
        assert urlsplit(one.url).path == urlsplit(two.url).path

        async def deliver() -> list[Told]:
            bodies = [payload(f"e-{number}") for number in range(20)]
            return [await post(url, body, signed(body)) for body in bodies for url in (one.url, two.url)]

        assert all(told.accepted for told in asyncio.run(deliver()))
    with StateStore(address, ENCRYPTION_KEY) as store:
        assert {(delivery.event_id, delivery.receipts) for delivery in store.inbox.deliveries()} == {
            (f"e-{number}", 2) for number in range(20)
        }


@pytest.mark.check_all
def test_they_share_one_request_budget(tmp_path: Path, postgres: PostgresServer) -> None:
    figures = request_budget_drill.the_limit_is_never_passed(
        tmp_path, processes=2, threads=4, limit=200, window=4, calls=600, state_url=postgres.url_of(str(tmp_path))
    )
    assert figures["most_in_a_window"] <= 200
