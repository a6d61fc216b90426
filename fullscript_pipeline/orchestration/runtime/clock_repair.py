"""Moves stored times in the future, left by a run under a wrong clock, back to now.

The order: a backup; the state store (it may be behind the data, never ahead); the warehouse (one transaction); files
named by day; Dagster's schedules and sensors, which would not tick before their last tick. Each part can be repeated,
so an interrupted repair is run again. What does not belong here: whether the clock is correct (`cli.clock`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage

from fullscript_pipeline import clock
from fullscript_pipeline.maintenance import Backup, back_up
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state import future_stamps as state_stamps
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse import future_stamps as warehouse_stamps

# Their names in messages.
FILES, SCHEDULES = "files named by day", "schedules and sensors"


@dataclass(frozen=True, kw_only=True)
class ClockRepair:
    """The parts of one data directory, and the time that counts as now."""

    settings: Settings
    warehouse: Warehouse
    store: StateStore
    instance: dg.DagsterInstance
    now: datetime

    @property
    def _real_now(self) -> datetime:
        """For values in real time. FULLSCRIPT_NOW may be earlier; a real time is not in the future because of that."""
        return max(self.now, clock.real_now())

    @property
    def _today(self) -> date:
        return clock.day_of(self.now, self.settings.time_zone)

    def find(self) -> dict[str, int]:
        """How many times lie in the future, by table or other place; empty when none do."""
        future: dict[str, int] = {}
        if self.warehouse.exists():
            with self.warehouse.read() as con:
                future |= warehouse_stamps.count_future(con, self.now, self._today)
        with self.store.db.read() as connection:
            counts = state_stamps.count_future(connection, self._real_now)
        future |= {f"state.{table}": number for table, number in counts.items()}
        future[FILES] = sum(1 for _ in self._future_files())
        future[SCHEDULES] = sum(1 for _ in self._future_instigators())
        return {place: number for place, number in future.items() if number}

    def repair(self) -> Backup | None:
        """Moves them. Returns the backup that was made before; None when there was nothing to back up."""
        has_data = self.warehouse.exists()
        backup = back_up(self.settings, self.warehouse) if has_data else None
        moved = self._new_times()
        with self.store.db.write() as connection:
            state_stamps.move_back(connection, self._real_now, moved)
        if has_data:
            with self.warehouse.write() as con:
                warehouse_stamps.move_back(con, self.now, moved, self._today)
        for path in list(self._future_files()):
            self._move_file_to_today(path)
        self._reset_ticks()
        return backup

    def _new_times(self) -> dict[datetime, datetime]:
        """Old to new time for all future times: the same order in both databases."""
        with self.store.db.read() as connection:
            ahead = state_stamps.future_instants(connection, self._real_now)
        last = None
        if self.warehouse.exists():
            with self.warehouse.read() as con:
                warehouse_times, last = warehouse_stamps.future_instants(con, self.now)
            ahead |= warehouse_times
        return clock.moved_times(ahead, self.now, after=last)

    def _future_files(self) -> Iterator[Path]:
        """Landing files, digests and archived pages of future days."""
        reports = self.settings.reports_dir
        named = [(path, path.parent.name) for path in self.settings.landing_dir.glob("*/*/*/*") if path.is_file()]
        named += [(path, path.name[:10]) for path in (*reports.glob("catalog/*/*"), *reports.glob("kept/*/*.zip"))]
        return (path for path, day in named if _is_after(day, self._today))

    def _move_file_to_today(self, path: Path) -> None:
        """Moves landing files and archived pages to today; removes a digest, which the next pull writes again."""
        today = self._today.isoformat()
        if path.is_relative_to(self.settings.landing_dir):
            folder = path.parent.with_name(today)
            folder.mkdir(mode=0o700, exist_ok=True)
            path.rename(folder / path.name)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        elif path.suffix == ".zip" and not path.with_name(f"{today}.zip").exists():
            path.rename(path.with_name(f"{today}.zip"))
        else:
            path.unlink()

    def _future_instigators(self) -> Iterator[InstigatorState]:
        """Schedules and sensors that have ticked in the future."""
        latest = self._real_now.timestamp()
        for state in self.instance.all_instigator_state():
            times = [time for name, time in times_of(state).items() if time is not None]
            if any(time > latest for time in times):
                yield state

    def _reset_ticks(self) -> None:
        """Sets future ticks back to now. The private names are pinned with Dagster's version and tested."""
        latest = self._real_now.timestamp()
        for state in list(self._future_instigators()):
            ahead = {name: latest for name, time in times_of(state).items() if time is not None and time > latest}
            instigator_data: Any = state.instigator_data
            self.instance.update_instigator_state(state.with_data(instigator_data._replace(**ahead)))
        storage = self.instance.schedule_storage
        if isinstance(storage, SqlScheduleStorage):
            moment = datetime.fromtimestamp(latest, tz=clock.real_now().tzinfo).replace(tzinfo=None)
            with storage.connect() as connection:
                connection.execute(JobTickTable.delete().where(JobTickTable.c.timestamp > moment))


def times_of(state: InstigatorState) -> dict[str, float | None]:
    instigator_data = state.instigator_data
    fields = instigator_data._asdict() if instigator_data else {}
    return {name: time for name, time in fields.items() if name.endswith("_timestamp")}


def _is_after(text: str, today: date) -> bool:
    try:
        return date.fromisoformat(text) > today
    except ValueError:
        return False
