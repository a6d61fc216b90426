"""Pulls and refreshes of a copy of a snapshot, called as the jobs call them, in this process.

What does not belong here: the snapshot itself, mutations, and what must hold.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fullscript_pipeline import clock, refresh
from fullscript_pipeline.api import ClinicSession, open_session
from fullscript_pipeline.api.retry import RetryPolicy
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.event_proof.event_outcomes import record_pull_outcomes
from fullscript_pipeline.extraction.pulls import (
    catalog,
    clinic,
    event_feeds,
    lab_orders,
    missing_variants,
    orders,
    protocols_and_resources,
    treatment_plans,
)
from fullscript_pipeline.extraction.pulls.event_feeds import is_product_event
from fullscript_pipeline.extraction.pulls.patient_orders import pull_orders_of_departed_patients
from fullscript_pipeline.extraction.pulls.product_events import pull_product_events
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.snapshot import KeptWarehouse, RandomDay, Snapshot

_AT_ONCE = RetryPolicy(attempts=2, unreadable_attempts=2, first_wait=0.0, first_wait_when_limited=0.0)
Step = tuple[str, tuple[str, ...], Callable[[], object]]


@dataclass
class Outcome:
    """Of one pull or refresh: the steps that failed with a sentence, and those that crashed."""

    failed: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)


class MutatedClinic:
    """The only clinic of a data directory; `moment` is the pipeline's clock."""

    def __init__(self, settings: Settings, moment: datetime, *, is_copied: bool = False) -> None:
        self.settings, self.moment = settings, moment
        self.warehouse = KeptWarehouse(settings.warehouse_path, checkpointed=is_copied)
        migrate(self.warehouse, [])
        self.store = StateStore.open(settings)
        self.wait(timedelta())

    @classmethod
    def copy_of(cls, snapshot: Snapshot, folder: Path, day: RandomDay) -> "MutatedClinic":
        """A copy of the snapshot in a directory of its own, in that day's world."""
        os.environ["FULLSCRIPT_DATA_DIR"] = str(folder)
        settings = load_settings()
        settings.prepare_data_dir()
        snapshot.copy_into(settings)
        snapshot.enter(day)
        return cls(settings, day.moment)

    @property
    def clinic(self) -> Clinic:
        return self.store.clinics.all()[0]

    def wait(self, time: timedelta) -> None:
        """The pipeline's clock moves on; nothing happens at the server."""
        self.moment += time
        os.environ["FULLSCRIPT_NOW"] = self.moment.isoformat()

    def pull(self, sweep_days: int, *, whole: bool) -> Outcome:
        """The clinic's day; when `whole`, the region's and the library too. What needs a failed step is left out."""
        outcome = Outcome()
        done: set[str] = set()
        with self._session() as session:
            for name, needs, step in self._steps(session, sweep_days, whole=whole):
                if done.issuperset(needs) and self._succeeds(outcome, name, step):
                    done.add(name)
        return outcome

    def refresh(self) -> Outcome:
        """One round of the feeds."""
        outcome = Outcome()
        with self._session() as session:
            self._succeeds(outcome, "look", lambda: refresh.poll_feeds(session, self.store, include_requested=True))
            self._succeeds(outcome, "apply", lambda: self._apply(session))
        return outcome

    def waiting_product_events(self) -> frozenset[str]:
        """The ids of the product events that the ledger holds and nobody has read yet."""
        pending = self.store.events.pending(self.clinic.server, self.clinic.clinic_id)
        return frozenset(event.event_id for event in pending if is_product_event(event))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as con:
            return con.execute(sql).fetchall()

    def close(self) -> None:
        self.warehouse.close()
        self.store.close()

    def remove(self) -> None:
        """Closes it and takes its directory away."""
        self.close()
        shutil.rmtree(self.settings.data_dir)

    def _apply(self, session: ClinicSession) -> None:
        refreshed = refresh.handle_events(self._target(), session, self.store)
        refresh.mark_refresh_done(self.store, session, refreshed)

    def _succeeds(self, outcome: Outcome, name: str, step: Callable[[], object]) -> bool:
        try:
            step()
        except PipelineError as error:
            outcome.failed.append(f"{name}: {error}")
        except Exception as error:
            outcome.crashed.append(f"{name}: {type(error).__name__}: {error}")
        else:
            return True
        return False

    @contextmanager
    def _session(self) -> Iterator[ClinicSession]:
        """A session that does not wait before it asks again."""
        with open_session(self.settings, self.store, self.clinic) as patient:
            session = copy(patient)
            session._retry = _AT_ONCE
            yield session

    def _target(self, *, of_region: bool = False) -> Target:
        one, day = self.clinic, clock.today(self.settings.time_zone)
        owner = None if of_region else one
        return Target(
            warehouse=self.warehouse,
            landing_dir=self.settings.landing_dir,
            encryption_key=None,
            server=one.server,
            region=one.region,
            day=day,
            run_id="run",
            clinic=owner,
        )

    def _steps(self, session: ClinicSession, sweep_days: int, *, whole: bool) -> list[Step]:
        """Name, what it needs, and the call, as the assets have them."""
        target, region = self._target(), self._target(of_region=True)

        def products() -> None:
            heard = pull_product_events(region, [session], self.store)
            catalog.pull_products(region, [session])
            heard.close_events(self.store, region.day.isoformat())

        def read_plans() -> None:
            touched = event_feeds.awaited_plan_ids(target, session.clinic.clinic_id)
            pull_orders_of_departed_patients(target, session)
            treatment_plans.pull_plans(target, session, touched, sweep_days)
            record_pull_outcomes(self.warehouse, self.store, session.clinic)

        of_clinic: list[Step] = [
            ("clinic", (), lambda: clinic.pull_clinic(target, session)),
            ("people", ("clinic",), lambda: clinic.pull_people(target, session)),
            ("patients", ("clinic",), lambda: clinic.pull_patients(target, session, sweep_days)),
            ("events", ("clinic",), lambda: event_feeds.pull_events(target, session, self.store)),
            ("orders", ("clinic",), lambda: orders.pull_orders(target, session, sweep_days=sweep_days)),
            ("labs", ("clinic",), lambda: lab_orders.pull_labs(target, session, sweep_days)),
            ("lab tests", ("labs",), lambda: lab_orders.pull_lab_tests(target, session)),
            ("plans", ("patients", "events", "orders", "labs"), read_plans),
            ("variants", ("plans", "orders"), lambda: missing_variants.pull_unknown_variants(target, session)),
        ]
        of_region: list[Step] = [
            ("reference", (), lambda: catalog.pull_reference_lists(region, [session])),
            ("products", (), products),
        ]
        of_library: list[Step] = [
            ("library", ("clinic",), lambda: protocols_and_resources.pull_library(target, session, sweep_days))
        ]
        return [*of_region, *of_clinic, *of_library] if whole else of_clinic
