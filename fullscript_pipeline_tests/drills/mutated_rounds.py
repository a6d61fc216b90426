"""Promises 33, 34 and 35 together: any answer mutated, at any moment of a pull or a refresh, and what always holds.

Each seed: a copy of a clinic that was pulled once, a world of a random day, one to three rounds (a pull or a refresh)
whose answers are mutated, then a clean pull. Always, after every round:

* no row is removed that the server still has;
* no event is handled whose object the server has and the warehouse has not;
* no step ends in anything but a sentence;
* where only fields were retyped, no other value is missing or different.

After the clean pull every table equals that of a clinic whose answers were never mutated. What to expect of them hangs
on what was mutated. *Evident* mutations show in the answer: an ordinary pull makes up for all of them. An answer that a
truthful server could give too is believed until its object is read again, so the clean pull after *plausible* ones
reads everything (`sweep_days` 1). Not compared: when something was seen; who has seen which product; and after an
ordinary pull the plans that are new or changed without an event: they are found when it is their patient's turn, and a
clinic that was pulled once more has had a turn more; and, where the region was not pulled, product events that wait in
the ledger.

What does not belong here: how many seeds (the tests say).
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from fullscript_pipeline import clock
from fullscript_pipeline.api.thread_pool import iter_completed
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.warehouse import memory
from fullscript_pipeline_tests.drills.mutated_clinic import MutatedClinic, Outcome
from fullscript_pipeline_tests.drills.mutated_tables import (
    OF_THE_CLINIC,
    Contents,
    Keys,
    contents,
    differences,
    keys_of_events,
    parent_key,
    present,
    undamaged_values_lost,
)
from fullscript_pipeline_tests.drills.mutating_server import MutatingServer
from fullscript_pipeline_tests.drills.mutation_plan import Round, Trial, drawn
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.snapshot import Access, RandomDay, Snapshot
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

# A thousand trials in half an hour are more than the vendor lets anybody ask.
_OPTIONS: dict[str, Any] = {"patients": 8, "products": 12, "history_days": 40, "rate_limit": 10**9}


@dataclass
class Found:
    """What was counted over all seeds; `wrong`: by seed what did not hold, and `log` what was mutated there."""

    rounds: int = 0
    failed_steps: int = 0
    held: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, list[str]] = field(default_factory=dict)
    log: dict[int, list[str]] = field(default_factory=dict)

    def record_finding(self, seed: int, what: str, sentence: str) -> None:
        self.counts[what] += 1
        self.wrong.setdefault(seed, []).append(f"{what}: {sentence}")

    def report(self) -> str:
        """For each seed that is wrong: what did not hold, and what was mutated."""
        return "\n".join(
            "\n  ".join([f"seed {seed}", *dict.fromkeys(lines), *(f"    {line}" for line in self.log[seed])])
            for seed, lines in self.wrong.items()
        )


class Trials:
    """The snapshot, the random days and what a clinic without mutations has on each of them."""

    def __init__(self, folder: Path, snapshot: Snapshot, server: MutatingServer, days: int) -> None:
        self.folder, self.snapshot, self.server = folder, snapshot, server
        self.days = [snapshot.random_day(number) for number in range(days)]
        self.found = Found()
        self._clean: dict[int, Contents] = {}

    def run(self, seed: int) -> None:
        """One seed. What does not hold is noted in `found`."""
        trial = drawn(seed, len(self.days))
        clean = self._undisturbed(trial.day)
        mutated = MutatedClinic.copy_of(self.snapshot, self.folder / str(seed), self.days[trial.day])
        check = _Check(mutated, trial, self.days[trial.day], self.found)
        self.server.page_size = trial.page_size
        for one in trial.rounds:
            bent = self._mutated(mutated, one, check)
            if trial.only_retyped:
                for line in undamaged_values_lost(contents(mutated), clean, bent):
                    self.found.record_finding(seed, "values_lost", line)
        self.server.strike_with()
        mutated.wait(timedelta(hours=12))
        check.after(mutated.pull(trial.sweep_days, whole=trial.whole), is_clean=True)
        if mutated.rows("SELECT 1 FROM ops.held_removals LIMIT 1"):
            # Rows that a wrong answer made, so many that their absence waits for the listing of another day.
            self.found.held += 1
            mutated.wait(timedelta(days=1))
            check.after(mutated.pull(trial.sweep_days, whole=trial.whole), is_clean=True)
        ours, quiet = contents(mutated), check.day.quiet if trial.sweep_days > 1 else frozenset()
        tables = ours.keys() if trial.whole else OF_THE_CLINIC
        # A clinic's own pull leaves the product events that a look has noted to the next refresh, or the region's pull.
        waiting = frozenset() if trial.whole else mutated.waiting_product_events()
        for line in differences(ours, clean, tables, check.truth, without_plans=quiet, without_events=waiting):
            self.found.record_finding(seed, "unequal", line)
        mutated.remove()

    def _mutated(self, mutated: MutatedClinic, one: Round, check: "_Check") -> set[str]:
        """Makes a round; the fields that were bent in it."""
        self.snapshot.connect(mutated.settings, mutated.store, one.access)
        # What has been shown, or was told of a day ago, cannot be late any more: it would be gone.
        shown = {part for keys in check.known.values() for key in keys for part in key}
        recent = {key for key, told_at in check.day.new.items() if told_at > mutated.moment - timedelta(hours=20)}
        self.server.new_ids = frozenset(recent - shown)
        self.server.strike_with(*one.strikes)
        sweep_days = 1 if check.trial.only_retyped else 14
        outcome = mutated.refresh() if one.kind == "refresh" else mutated.pull(sweep_days, whole=check.trial.whole)
        self.found.rounds += 1
        self.found.failed_steps += len(outcome.failed)
        self.found.struck += self.server.told.struck
        check.shorter |= self.server.told.shorter
        check.renamed |= self.server.told.renamed
        made = one.kind if one.access.is_full else f"{one.kind} with {one.access}"
        check.log += [made, *self.server.told.requests, *outcome.failed]
        check.after(outcome)
        bent = self.server.told.bent
        self.server.strike_with()
        if not one.access.is_full:
            self.snapshot.connect(mutated.settings, mutated.store, Access())
        mutated.wait(one.pause)
        return bent

    def _undisturbed(self, number: int) -> Contents:
        """A clinic that was never told anything wrong, and has read everything on that day."""
        if number not in self._clean:
            self.server.page_size = 100
            mutated = MutatedClinic.copy_of(self.snapshot, self.folder / f"clean-{number}", self.days[number])
            mutated.wait(timedelta(hours=20))
            outcome = mutated.pull(1, whole=True)
            assert (outcome.failed, outcome.crashed) == ([], [])
            self._clean[number] = contents(mutated)
            mutated.remove()
        return self._clean[number]


class _Check:
    """What must hold of one trial at any time."""

    def __init__(self, mutated: MutatedClinic, trial: Trial, day: RandomDay, found: Found) -> None:
        self.mutated, self.trial, self.day, self.found = mutated, trial, day, found
        self.truth, self.known = keys_of_events(day), present(mutated)
        self.shorter: set[str] = set()
        self.renamed: set[str] = set()
        self.log = found.log[trial.seed] = list[str]()

    def after(self, outcome: Outcome, *, is_clean: bool = False) -> None:
        """Rows, events and the steps of a pull or refresh."""
        for crash in [*outcome.crashed, *(outcome.failed if is_clean else ())]:
            self._record_finding("crashed", crash)
        now = present(self.mutated)
        for table, key in self._removed_wrongly(now):
            self._record_finding("removed_wrongly", f"{table} {key}")
        for event_type, object_id in self._handled_without_object(now):
            self._record_finding("handled_without_object", f"{event_type} {object_id}")
        self.known = {table: keys | now[table] for table, keys in self.known.items()}

    def _removed_wrongly(self, now: Keys) -> Iterator[tuple[str, tuple[str, ...]]]:
        for table, keys in self.known.items():
            for key in keys & self.truth[table] - now[table]:
                # A part that a whole record did not show, or a row under another id: a truthful server could say so.
                if parent_key(table, key) not in self.shorter and self.renamed.isdisjoint(key):
                    yield table, key

    def _handled_without_object(self, now: Keys) -> Iterator[tuple[str, str]]:
        clinic = self.mutated.clinic
        for event in self.mutated.store.events.since(
            clinic.server, clinic.clinic_id, self.day.moment - timedelta(days=99)
        ):
            table, _, object_id = self.day.events.get(event.event_id, ("events", "", ""))
            if (
                event.processed_at
                and object_id not in self.renamed
                and (clinic.clinic_id, object_id) in self.truth[table] - now[table]
            ):
                yield str(event.event_type), object_id

    def _record_finding(self, what: str, sentence: str) -> None:
        self.found.record_finding(self.trial.seed, what, sentence)


@contextmanager
def trials(folder: Path, *, days: int) -> Iterator[Trials]:
    """A sandbox, a clinic that was pulled once, and random days."""
    opened: list[Sandbox] = []
    real = Sandbox.open

    def keep(*given: Any, **more: Any) -> Sandbox:
        opened.append(real(*given, **more))
        return opened[-1]

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Sandbox, "open", keep))
        # Neither durability nor the memory of large loads is at stake here, and both cost half of the time.
        stack.enter_context(mock.patch.object(os, "fsync", lambda _: None))
        stack.enter_context(
            mock.patch.multiple(memory, release_memory=lambda _: None, _megabytes_for_deleted=lambda *_: 0)
        )
        # Side by side, answers would be mutated in another order each time.
        stack.enter_context(mock.patch.object(iter_completed, "__defaults__", (1,)))
        connected = stack.enter_context(connected_pipeline(folder, clinics=1, world_clinics=1, **_OPTIONS))
        server = stack.enter_context(MutatingServer())
        first = MutatedClinic(connected.settings, clock.now(), is_copied=True)
        for outcome in (first.pull(14, whole=True), first.refresh()):
            assert (outcome.failed, outcome.crashed) == ([], [])
        first.close()
        yield Trials(folder, Snapshot(connected, opened[-1], folder / "snapshot"), server, days)


def mutated_answers_prove_nothing(folder: Path, *, seeds: int, days: int, first_seed: int = 0) -> None:
    """All seeds; prints what was counted."""
    started = time.monotonic()
    with trials(folder, days=days) as running:
        for seed in range(first_seed, first_seed + seeds):
            running.run(seed)
        found = running.found
    common = {"seeds": seeds, "rounds": found.rounds, "mutations": found.struck.total(), "days": days}
    seconds = time.monotonic() - started
    wrong = found.counts
    report_promise(
        "promise 33", **common, steps_failed=found.failed_steps, removed_wrongly=wrong["removed_wrongly"],
        crashed=wrong["crashed"], held_a_day=found.held, unequal_after_a_clean_pull=wrong["unequal"], seconds=seconds,
    )  # fmt: skip
    report_promise(
        "promise 34", **common, handled_without_object=wrong["handled_without_object"],
        lost_after_a_clean_pull=wrong["unequal"], seconds=seconds,
    )  # fmt: skip
    report_promise(
        "promise 35", **common, retyped=found.struck["retyped"], other_values_lost=wrong["values_lost"],
        runs_failed=wrong["crashed"], seconds=seconds,
    )  # fmt: skip
    assert found.wrong == {}, found.report()
