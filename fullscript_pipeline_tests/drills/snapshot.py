"""A connected clinic that was pulled once, its files and its world set aside, and the random days that may follow.

What does not belong here: pulls of a copy (`mutated_clinic`), mutations, and what must hold.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from fullscript_pipeline.sandbox.day_simulator import simulate_until
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.seeded_random import NOON
from fullscript_pipeline.sandbox.settings import READ_SCOPES
from fullscript_pipeline.sandbox.world import Event, SandboxClinic, World
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.compare.compare_sandbox import read_truth
from fullscript_pipeline_tests.compare.content_rows import Rows
from fullscript_pipeline_tests.helpers.pipeline import Connected

# Where an event's object is, by how its type begins.
TABLE_OF = {
    "order": ("orders", "order_id"),
    "patient": ("patients", "patient_id"),
    "treatment_plan": ("treatment_plans", "treatment_plan_id"),
    "lab_order": ("lab_orders", "lab_order_id"),
}


class KeptWarehouse(Warehouse):
    """Attached once and kept, also while nobody uses it, and without a lock: a pull takes a third of the time."""

    attached = False

    def __init__(self, path: Path, *, checkpointed: bool) -> None:
        """`checkpointed`: closing it writes everything into the file, so that it can be copied."""
        super().__init__(path)
        self._checkpointed = checkpointed

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        instance = self._instance()
        with instance.guard:
            if not self.attached:
                self._attach(instance.con, read_only=False)
                self.attached = True
                if not self._checkpointed:
                    instance.con.execute("PRAGMA disable_checkpoint_on_shutdown")
            yield instance.con

    def close(self) -> None:
        """Nobody holds the file any more."""
        self._instance().con.close()


@dataclass(frozen=True)
class Access:
    """How a clinic is connected: with which scopes, as which user ("": the owner, who sees everybody)."""

    scopes: str = READ_SCOPES
    user: str = ""

    @property
    def is_full(self) -> bool:
        return self == Access()

    @classmethod
    def drawn(cls, rng: Random) -> "Access":
        """One that shows less: without a scope, or as a user who sees their own patients only."""
        if rng.random() < 0.3:
            return cls(user="practitioner-2")
        scopes = READ_SCOPES.split()
        scopes.remove(rng.choice(["patients:treatment_plan_history", "patients:order_history", "catalog:read"]))
        return cls(" ".join(scopes))


@dataclass(frozen=True)
class RandomDay:
    """A world some days after the snapshot, and what its server tells.

    `rows` by table; `new`: ids that came meanwhile and that an event or a whole list tells of, and when; `quiet`: plans
    that are new or changed and that no event tells of; `events`: the table, its key and the id of the object that each
    event is about, by event id.
    """

    number: int
    world: World
    rows: Rows
    new: dict[str, datetime]
    quiet: frozenset[str]
    events: dict[str, tuple[str, str, str]]

    @property
    def moment(self) -> datetime:
        return datetime.combine(self.world.day, NOON)


class Snapshot:
    """The files of a data directory and the world behind it, at one moment."""

    def __init__(self, connected: Connected, sandbox: Sandbox, folder: Path) -> None:
        """Of the connected data directory, which nobody may have open for writing."""
        self.connected, self.sandbox, self.folder = connected, sandbox, folder
        folder.mkdir()
        detach_all()
        shutil.copy(connected.settings.warehouse_path, folder / "warehouse")
        with (
            closing(sqlite3.connect(connected.settings.state_path)) as store,
            closing(sqlite3.connect(folder / "state")) as aside,
        ):
            store.backup(aside)
        self.world = deepcopy(sandbox.world)
        self._pairs = deepcopy(sandbox.state.pairs)
        self._access = Access()

    def copy_into(self, settings: Settings) -> None:
        """A data directory that is as the snapshot's was."""
        shutil.copy(self.folder / "warehouse", settings.warehouse_path)
        shutil.copy(self.folder / "state", settings.state_path)
        settings.state_path.chmod(0o600)

    def enter(self, day: RandomDay) -> None:
        """The server shows that day's world, and its tokens are those of the snapshot."""
        self._show(day.world)
        self._access = Access()
        self.sandbox.state.pairs = deepcopy(self._pairs)
        self.sandbox.ledger.reset()

    def connect(self, settings: Settings, store: StateStore, access: Access) -> None:
        """The clinic is connected anew; nothing where it is connected so already."""
        if access == self._access:
            return
        self._access = access
        control = self.connected.sandbox.control
        control.change(scopes=access.scopes, assigned_patients_only=bool(access.user))
        slug = next(iter(self.connected.sandbox.clinics))
        Connected(self.connected.sandbox, settings, store).connect(slug, access.user)

    def random_day(self, number: int) -> RandomDay:
        """One to three days later, others for each number."""
        rng, world = Random(number), deepcopy(self.world)
        world.seed += 1000 + number
        simulate_until(world, world.day + timedelta(days=rng.randint(1, 3)))
        self._show(world)
        (clinic,), (before,) = world.clinics.values(), self.world.clinics.values()
        events = {one.id: about for one in clinic.events.values() if (about := _about(one))}
        told = {one for event, (_, _, one) in events.items() if event not in before.events}
        was = {one: plan.record for one, plan in before.plans.items()}
        changed = {one for one, plan in clinic.plans.items() if plan.record != was.get(one)}
        quiet = (changed - told) | {one for one, day in clinic.through_api.items() if day > self.world.day}
        told_at = {about[2]: one.at for one in reversed(clinic.events.values()) if (about := _about(one))}
        now = datetime.combine(world.day, NOON)
        new = {one: told_at.get(one, now) for one in _ids(clinic) - _ids(before) - quiet}
        return RandomDay(number, world, read_truth(self.connected), new, frozenset(quiet), events)

    def _show(self, world: World) -> None:
        self.sandbox.world = world
        self.sandbox.state.day = world.day


def _ids(clinic: SandboxClinic) -> set[str]:
    return {*clinic.patients, *clinic.plans, *clinic.orders, *clinic.labs}


def _about(event: Event) -> tuple[str, str, str] | None:
    kind = event.type.partition(".")[0]
    if kind not in TABLE_OF:
        return None
    data: dict[str, Any] = event.data.get(kind, event.data)
    return (*TABLE_OF[kind], str(data["id"]))
