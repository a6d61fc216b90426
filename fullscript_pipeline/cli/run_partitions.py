"""Executes runs one after the other, shows their progress, and derives one exit code.

What does not belong here: which partitions to run (the commands).
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from tqdm import tqdm

from fullscript_pipeline.cli.budget_wait_log import log_budget_waits
from fullscript_pipeline.cli.console import print_message
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.orchestration.runtime import Outcome, console_logging, fail_orphans, run_job

LINE_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class PlannedRun:
    """A run to execute. `label` is shown to the user: the clinic's key or the region, and the day."""

    label: str
    job: str
    partition: str | None = None
    partition_range: tuple[str, str] | None = None
    run_config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] | None = None
    assets: frozenset[dg.AssetKey] | None = None


def execute_runs(
    instance: dg.DagsterInstance, runs: Sequence[PlannedRun]
) -> tuple[int, list[tuple[PlannedRun, Outcome]]]:
    """Executes every run, even when others fail. Returns the exit code and the outcomes."""
    console_logging.quiet()
    log_budget_waits()
    fail_orphans(instance)
    outcomes: list[tuple[PlannedRun, Outcome]] = []
    with _Progress(len(runs)) as progress:
        for run in runs:
            progress.begin(run.label)
            outcome = run_job(
                instance,
                run.job,
                partition=run.partition,
                partition_range=run.partition_range,
                run_config=run.run_config,
                tags=run.tags,
                assets=set(run.assets) if run.assets else None,
                listener=progress.event,
            )
            outcomes.append((run, outcome))
            progress.end(run, outcome)
    return _exit_code([outcome for _, outcome in outcomes]), outcomes


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    """The code of `connect` if any clinic needs it; else that of the first failure."""
    codes = [failure.exit_code for outcome in outcomes for failure in outcome.failures]
    if NeedsConnect.exit_code in codes:
        return NeedsConnect.exit_code
    return codes[0] if codes else 0


class _Progress:
    """A progress bar on a terminal; elsewhere a line per run, and one every ten seconds during a run."""

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

    def end(self, run: PlannedRun, outcome: Outcome) -> None:
        seconds = time.monotonic() - self._began
        if self._bar is not None:
            self._bar.update()
        word = "done" if outcome.succeeded else "FAILED"
        self._say(f"{run.label}: {word} in {seconds:.1f} s")
        for failure in outcome.failures:
            self._say(f"  {failure.step}: {failure.sentence}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print_message(text)
