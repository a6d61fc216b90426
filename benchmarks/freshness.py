"""How long after `order.placed` the patient's page on disk has changed; and what an idle tick of many clinics costs.

python benchmarks/freshness.py [--orders N] [--webhooks N] [--clinics N] [--refreshes N] [--idle N]

A sandbox in this process places orders at random moments; the UI with its daemon runs as a user starts it
(`fullscript-pipeline ui`), nothing else is called. With `--webhooks`, each further order's event is delivered to a
receiver, too. The promises: median <= 6 s by the feed, <= 4 s by webhook, 95th percentile <= 90 s; <= 15 s by `refresh`
of one clinic; an idle tick of 50 clinics <= 5 s.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' sandbox helpers are not installed

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.extraction.pulls.event_feeds import feeds_of
from fullscript_pipeline.orchestration.automation import sensors
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.sandbox.orders import order_plans
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.webhooks import WebhookEndpoint, serving
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.vendor_client import CHALLENGE, KEY, signed

OURS = [sys.executable, "-m", "fullscript_pipeline"]
LONGEST = 300.0


def place(its: LiveClinic, chance: random.Random) -> tuple[Path, float]:
    """Somebody buys their plan; the page that is to change, and when that was."""
    pages = its.connected.settings.reports_dir / "clinics" / its.clinic.clinic_key / "patients"
    plan = chance.choice([one for one in its.active_plans() if (pages / f"{one.patient_id}.html").exists()])
    order_plans(its.world, its.world.patients[plan.patient_id], [plan], its.sandbox.world.day, its.rng)
    its.just_now()
    return pages / f"{plan.patient_id}.html", time.time()


def seconds_until_changed(page: Path, since: float) -> float:
    while time.time() - since < LONGEST:
        changed = page.stat().st_mtime
        if changed > since:
            return changed - since
        time.sleep(0.05)
    sys.exit(f"The page did not change within {LONGEST:.0f} s.")


def report(name: str, seconds: list[float], promise: str) -> None:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(
        f"{name}: n={len(ordered)} median={statistics.median(ordered):.1f}s p95={p95:.1f}s max={ordered[-1]:.1f}s "
        f"(promise: {promise})  all: {' '.join(f'{one:.1f}' for one in ordered)}",
        flush=True,
    )


def deliver_last_event(its: LiveClinic, url: str) -> None:
    """The newest event of the clinic, as the vendor sends it."""
    payload = its.payload(list(its.world.events)[-1])
    body = json.dumps({"event_payload": {"event": payload}}).encode()
    httpx.post(url, content=body, headers=signed(body), trust_env=False).raise_for_status()


def with_the_daemon(its: LiveClinic, orders: int, webhooks: int) -> None:
    chance, port = random.Random(3), free_port()
    with run_child([*OURS, "ui", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        page, at = place(its, chance)
        print(f"first page after the start of the UI: {seconds_until_changed(page, at):.1f}s", flush=True)
        seconds = []
        for _ in range(orders):
            time.sleep(chance.uniform(0, 15))
            seconds.append(seconds_until_changed(*place(its, chance)))
        if seconds:
            report("order.placed to page, daemon running", seconds, "median <= 6 s on a quiet machine, p95 <= 90 s")
        if webhooks:
            by_webhook(its, webhooks, chance)


def by_webhook(its: LiveClinic, times: int, chance: random.Random) -> None:
    endpoint = WebhookEndpoint(
        server=its.clinic.server, path="/hooks/secret/measured", challenge=CHALLENGE, keys=(KEY.encode(),)
    )
    seconds = []
    with serving([endpoint], its.store) as base_url:
        for _ in range(times):
            time.sleep(chance.uniform(0, 15))
            page, at = place(its, chance)
            deliver_last_event(its, f"{base_url}{endpoint.path}")
            seconds.append(seconds_until_changed(page, at))
    report("order.placed to page, by webhook", seconds, "median <= 4 s on a quiet machine")


def by_refresh(its: LiveClinic, times: int) -> None:
    chance, seconds = random.Random(4), []
    for _ in range(times):
        page, at = place(its, chance)
        subprocess.run([*OURS, "refresh", "--clinic", its.clinic.clinic_key], check=True, capture_output=True)
        if page.stat().st_mtime <= at:
            sys.exit("The page did not change.")
        seconds.append(time.time() - at)
    report("refresh of one clinic, order to end of command", seconds, "<= 15 s")


def idle(directory: Path, clinics: int) -> None:
    with open_live_clinic(
        directory, clinics=clinics, all_clinics=clinics, patients=5, products=10, pulled=False
    ) as its:
        for clinic in its.store.clinics.all():
            for feed in feeds_of(clinic.region):
                its.store.feeds.set_position(clinic.server, clinic.clinic_id, feed, its.sandbox.world.day.isoformat())
        seconds = []
        for round_number in range(4):
            with (
                dg.DagsterInstance.ephemeral() as instance,
                dg.build_sensor_context(instance=instance, resources=make_resources(load_settings)) as context,
            ):
                begun = time.monotonic()
                said = sensors.clinic_events_sensor(context)
                seconds.append(time.monotonic() - begun)
            if round_number == 0:
                for clinic in its.store.clinics.all():
                    pending = its.store.events.pending(clinic.server, clinic.clinic_id)
                    its.store.events.mark_processed(clinic.server, clinic.clinic_id, [one.event_id for one in pending])
        print(getattr(said, "skip_message", said))
        report(f"idle tick of {clinics} clinics", seconds[1:], "<= 5 s")


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--orders", type=int, default=20)
    given.add_argument("--webhooks", type=int, default=10)
    given.add_argument("--refreshes", type=int, default=3)
    given.add_argument("--clinics", type=int, default=3)
    given.add_argument("--idle", type=int, default=50)
    its = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if its.idle:
            idle(Path(folder) / "idle", its.idle)
        if its.orders or its.refreshes or its.webhooks:
            with open_live_clinic(
                Path(folder) / "fresh", clinics=its.clinics, patients=50, products=60, pulled=False
            ) as found:
                os.environ["PYTHONUNBUFFERED"] = "1"
                subprocess.run([*OURS, "pull"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                if its.refreshes:
                    by_refresh(found, its.refreshes)
                if its.orders or its.webhooks:
                    with_the_daemon(found, its.orders, its.webhooks)


if __name__ == "__main__":
    main()
