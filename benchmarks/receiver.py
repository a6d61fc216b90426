"""How fast the webhook receiver answers: steadily, in a burst, and while a long run holds the warehouse.

python benchmarks/receiver.py [--seconds 600] [--rate 50] [--burst 200]

The receiver is a process of its own with an encryption key; a delivery is the vendor's two calls, each on a new
connection, and latency counts from the moment a call was due. The promises: p99 <= 300 ms, max <= 1.5 s, nothing that
was acknowledged is missing, and no 200 comes late.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' load generator is not installed

from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.vendor_client import receiver_process
from fullscript_pipeline_tests.helpers.webhook_load import Figures, burst, long_run, steady


def main(seconds: float, rate: float, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder, receiver_process(Path(folder)) as running:
        asyncio.run(burst(running.url, 20, "warm"))
        results = {
            f"{rate:g}/s for {seconds:g} s": asyncio.run(steady(running.url, rate, seconds, "steady")),
            f"burst of {size} in 1 s": asyncio.run(burst(running.url, size, "burst")),
        }
        with long_run(Path(folder)):
            locked = min(seconds, 60)
            results[f"{rate:g}/s for {locked:g} s, DuckDB held"] = asyncio.run(
                steady(running.url, rate, locked, "held")
            )
            results[f"burst of {size} in 1 s, DuckDB held"] = asyncio.run(burst(running.url, size, "held-burst"))
        with StateStore(Path(folder) / "state.sqlite", "a key") as store:
            stored = {delivery.event_id for delivery in store.inbox.deliveries(with_body=False)}
    for name, figures in results.items():
        tell(name, figures, len(figures.acked - stored))
    if lost := {event for figures in results.values() for event in figures.acked} - stored:
        sys.exit(f"{len(lost)} deliveries were acknowledged and are not stored.")


def tell(name: str, figures: Figures, lost: int) -> None:
    """A line for one phase."""
    words = " ".join(f"{name}={value}" for name, value in figures.words().items())
    slow = sum(told.accepted and told.seconds > 1.5 for told in figures.calls)
    print(f"{name}: {words} ms, acked={len(figures.acked)} lost={lost} late_200={slow}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=50, help="deliveries a second")
    parser.add_argument("--burst", type=int, default=200)
    given = parser.parse_args()
    main(given.seconds, given.rate, given.burst)
