"""The receiver as users run it: a process, its address, its end, and the vendor's rules against it."""

import asyncio
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.sandbox_server import running_sandbox
from fullscript_pipeline_tests.helpers.vendor_client import Told, deliver, payload, receiver_process


def test_a_kill_loses_nothing_and_the_address_stays(tmp_path: Path) -> None:
    async def burst(url: str, first: int) -> list[Told]:
        return await asyncio.gather(*(deliver(url, payload(f"e-{first + number}")) for number in range(20)))

    with receiver_process(tmp_path) as first:
        told = asyncio.run(burst(first.url, 0))
        first.process.send_signal(signal.SIGKILL)
    with receiver_process(tmp_path) as second:
        assert second.url.split("/hooks/")[1] == first.url.split("/hooks/")[1]
        told += asyncio.run(burst(second.url, 20))
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(10) == 0
    assert all(one.accepted for one in told)
    with StateStore(tmp_path / "state.sqlite", "a key") as store:
        assert len(store.inbox.deliveries()) == 40
        path = store.inbox.webhook_path()
    assert path not in (tmp_path / "receiver.log").read_text()
    assert all(path.encode() not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


def test_a_stopping_receiver_answers_requests_in_progress(tmp_path: Path) -> None:
    async def stop_in_flight() -> list[Told]:
        with receiver_process(tmp_path) as running:
            under_way = [asyncio.create_task(deliver(running.url, payload(f"e-{number}"))) for number in range(50)]
            await asyncio.sleep(0.05)
            running.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*under_way)
            assert running.process.wait(10) == 0
            return answers

    told = asyncio.run(stop_in_flight())
    with StateStore(tmp_path / "state.sqlite", "a key") as store:
        kept = {delivery.event_id for delivery in store.inbox.deliveries()}
    acknowledged = {f"e-{number}" for number, one in enumerate(told) if one.accepted}
    assert acknowledged <= kept
    assert {one.status for one in told} <= {0, 200, 503}, "refused connections are no answers"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can fill the disk of a process that runs")
def test_a_disk_that_is_full_is_a_503_and_the_vendors_retry_is_kept(tmp_path: Path) -> None:
    def send(url: str) -> list[int]:
        bodies = [payload(f"e-{number}", size=20_000) for number in range(3)]
        return [asyncio.run(deliver(url, body)).status for body in bodies]

    with receiver_process(tmp_path) as running:
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        assert send(running.url) == [503] * 3
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert send(running.url) == [200] * 3
    assert "free some space" in (tmp_path / "receiver.log").read_text()
    with StateStore(tmp_path / "state.sqlite", "a key") as store:
        assert sorted(delivery.event_id for delivery in store.inbox.deliveries()) == ["e-0", "e-1", "e-2"]


def test_the_vendors_rules_against_it(tmp_path: Path) -> None:
    """The sandbox registers, probes, signs and sends every event, doubled and disordered: each is kept once."""
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        sandbox.connect("maple-street")
        app = sandbox.apps["us-snd"]
        secrets = {
            "FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN": app["webhook_challenge_token"],
            "FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS": f"an older key,{app['webhook_signature_key']}",
        }
        with receiver_process(tmp_path / "data", **secrets) as running:
            sandbox.control.set_webhook("us-snd", running.url, duplicates=0.3, disorder=True)
            sent = sandbox.control.advance(days=2)["webhooks"]
            assert sent["delivered"] == sent["attempts"] > 0
            with sandbox.client("maple-street") as client:
                rows = client.get("webhooks/deliveries", params={"page[size]": 100}).json()["webhook_deliveries"]
        with StateStore(tmp_path / "data" / "state.sqlite", "a key") as store:
            kept = store.inbox.deliveries()
    assert sum(delivery.receipts for delivery in kept) == sent["delivered"]
    assert {row["event_id"] for row in rows} <= {delivery.event_id for delivery in kept}
    assert len({delivery.event_id for delivery in kept}) == len(kept)
    assert {delivery.clinic_id for delivery in kept} <= {sandbox.clinics["maple-street"]["clinic_id"], ""}
    assert all(delivery.event_type and not delivery.event_id.startswith("body-") for delivery in kept)


def test_the_receiver_never_loads_the_warehouse_or_dagster() -> None:
    told = (
        "import sys, fullscript_pipeline.cli.webhooks, fullscript_pipeline.webhooks;"
        "print([name for name in ('duckdb', 'dagster', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
