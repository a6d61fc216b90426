"""Runs cells one after the other, shows their progress, and sums up to one exit code.

What does not belong here: which cells (the commands).
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from tqdm import tqdm

from fullscript_pipeline.cli.budget_wait_log import show_waits
from fullscript_pipeline.cli.console import talk
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.orchestration.runtime import Outcome, console_logging, fail_orphans, run_job

LINE_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Cell:
    """One run to be made. `label` is what the user reads: the clinic's key or the region, and the day."""

    label: str
    job: str
    partition: str | None = None
    partition_range: tuple[str, str] | None = None
    run_config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] | None = None
    assets: frozenset[dg.AssetKey] | None = None


def run_cells(instance: dg.DagsterInstance, cells: Sequence[Cell]) -> tuple[int, list[tuple[Cell, Outcome]]]:
    """Every cell, whatever becomes of the others. Returns the exit code and the outcomes."""
    console_logging.quiet()
    show_waits()
    fail_orphans(instance)
    outcomes: list[tuple[Cell, Outcome]] = []
    with _Progress(len(cells)) as progress:
        for cell in cells:
            progress.begin(cell.label)
            outcome = run_job(
                instance,
                cell.job,
                partition=cell.partition,
                partition_range=cell.partition_range,
                run_config=cell.run_config,
                tags=cell.tags,
                assets=set(cell.assets) if cell.assets else None,
                listener=progress.event,
            )
            outcomes.append((cell, outcome))
            progress.end(cell, outcome)
    return _exit_code([outcome for _, outcome in outcomes]), outcomes


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    """A clinic that needs `connect` wins; else the first failure's code."""
    codes = [failure.exit_code for outcome in outcomes for failure in outcome.failures]
    if NeedsConnect.exit_code in codes:
        return NeedsConnect.exit_code
    return codes[0] if codes else 0


class _Progress:
    """A bar on a terminal; elsewhere a line per run, and one every ten seconds while a run goes on."""

    def __init__(self, total: int) -> None:
        self._bar = tqdm(total=total, unit="run", file=sys.stderr, leave=False) if sys.stderr.isatty() else None
        self._label = ""
        self._began = self._said = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, label: str) -> None:
        self._label, self._began = label, time.monotonic()

    def event(self, event: dg.DagsterEvent) -> None:
        if event.event_type is not dg.DagsterEventType.STEP_START:
            return
        if self._bar is not None:
            self._bar.set_description(f"{self._label}: {event.step_key}")
        elif time.monotonic() - self._said > LINE_EVERY_SECONDS:
            self._say(f"{self._label}: {event.step_key} ...")

    def end(self, cell: Cell, outcome: Outcome) -> None:
        seconds = time.monotonic() - self._began
        if self._bar is not None:
            self._bar.update()
        word = "done" if outcome.succeeded else "FAILED"
        self._say(f"{cell.label}: {word} in {seconds:.1f} s")
        for failure in outcome.failures:
            self._say(f"  {failure.step}: {failure.sentence}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            talk(text)
