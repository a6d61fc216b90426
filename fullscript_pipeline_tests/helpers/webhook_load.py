"""Load on a receiver, and what it answered: a steady rate, a burst, and a long run that holds the warehouse meanwhile.

`python -m fullscript_pipeline_tests.helpers.webhook_load DATA_DIR` is that long run: it holds the DuckDB file for
writing, keeps a core busy in it, and writes the state store as a pull does, until its stdin ends. What does not belong
here: limits.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fullscript_pipeline_tests.helpers.vendor_client import ENCRYPTION_KEY, ROOT, Told, payload, post, signed


@dataclass
class Figures:
    """Every call's answer; `acked` are the events whose delivery was accepted."""

    calls: list[Told] = field(default_factory=list)
    acked: set[str] = field(default_factory=set)

    @property
    def slowest_accepted(self) -> float:
        """Seconds of the slowest 200: later than two of them is a failure to the vendor."""
        return max((receipt.seconds for receipt in self.calls if receipt.accepted), default=0.0)

    @property
    def refused(self) -> int:
        return sum(not receipt.accepted for receipt in self.calls)

    def milliseconds(self, share: float) -> float:
        """The latency that `share` of the calls did not exceed."""
        ordered = sorted(receipt.seconds for receipt in self.calls)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def words(self) -> dict[str, object]:
        """For a result line; milliseconds."""
        shares = {f"p{share * 100:g}": round(self.milliseconds(share), 1) for share in (0.5, 0.95, 0.99)}
        return {"calls": len(self.calls), "refused": self.refused, **shares, "max": round(self.milliseconds(1), 1)}


async def steady(url: str, rate: float, seconds: float, prefix: str = "s") -> Figures:
    """A delivery (probe and payload) every 1 / `rate` seconds, whether or not the ones before were answered."""
    figures, begun = Figures(), time.perf_counter()
    running = []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(asyncio.create_task(_deliver(url, f"{prefix}-{number}", figures, due)))
    await asyncio.gather(*running)
    return figures


async def burst(url: str, number: int, prefix: str = "b") -> Figures:
    """So many deliveries within one second."""
    return await steady(url, number, 1, prefix)


async def _deliver(url: str, event_id: str, figures: Figures, due: float) -> None:
    # What the generator itself was late with counts too: a client that waits politely hides the worst.
    late = max(0.0, time.perf_counter() - due)
    probed = await post(url, b"")
    figures.calls.append(Told(probed.status, probed.body, probed.seconds + late))
    if probed.accepted:
        body = payload(event_id)
        receipt = await post(url, body, signed(body))
        figures.calls.append(receipt)
        if receipt.accepted:
            figures.acked.add(event_id)


@contextmanager
def long_run(data_dir: Path) -> Iterator[None]:
    """A process that holds the warehouse of `data_dir` for the length of the block."""
    run = [sys.executable, "-m", "fullscript_pipeline_tests.helpers.webhook_load", str(data_dir)]
    process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield
        process.communicate(timeout=30)
        assert process.returncode == 0, "the long run ended early: nothing was held"
    finally:
        process.kill()


def _hold(data_dir: Path) -> None:
    import duckdb  # noqa: PLC0415 - only this process

    from fullscript_pipeline.state import LedgerEvent, StateStore  # noqa: PLC0415

    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    with (
        duckdb.connect(data_dir / "fullscript.duckdb") as warehouse,
        StateStore(data_dir / "state.sqlite", ENCRYPTION_KEY) as store,
    ):
        warehouse.execute("CREATE OR REPLACE TABLE long_run AS SELECT range AS number FROM range(2000000)")
        warehouse.execute("SET threads = 1; BEGIN")
        sys.stdout.write("holding\n")
        sys.stdout.flush()
        page, next_page = 0, 0.0
        while not over.is_set():
            warehouse.execute("UPDATE long_run SET number = number + 1 WHERE number % 7 = 0")
            if time.monotonic() >= next_page:  # the request budget is 16 pages a second
                page, next_page = page + 1, time.monotonic() + 1 / 16
                store.events.record(
                    LedgerEvent(server="us-snd", clinic_id="c-1", event_id=f"run-{page}-{number}")
                    for number in range(100)
                )
        warehouse.execute("ROLLBACK")


if __name__ == "__main__":
    _hold(Path(sys.argv[1]))
