"""Checks the warehouse: who holds it, when and with which view each clinic was last pulled, times in the future.

The file is opened only when no other process holds it, and only for reading. What does not belong here: repairs.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import psutil

from fullscript_pipeline import clock
from fullscript_pipeline.errors import Busy, PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped, warned
from fullscript_pipeline.health.lake import check_lake
from fullscript_pipeline.health.pending_work import check_pending_work
from fullscript_pipeline.health.purged import check_purged
from fullscript_pipeline.plural import counted
from fullscript_pipeline.process_identity import ProcessIdentity
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import Warehouse, count_future, lock_is_free, warehouse_of
from fullscript_pipeline.warehouse.loading import narrowings, pull_log

# After this time a daily pull counts as missed.
_LATE = timedelta(hours=36)
# A run holds the file for seconds; a process that holds it longer hangs, or was left open.
_HELD_TOO_LONG = timedelta(hours=1)
# A synchronised clock may be set back by a little.
_TOLERANCE = timedelta(minutes=10)


def check_warehouse(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """Findings about the lock, then about the contents, then about the last pull of every connected clinic."""
    clinics = store.clinics.all() if store else []
    try:
        warehouse = warehouse_of(settings, lock_wait=2.0)
        is_there = warehouse.exists()
        of_lake = list(check_lake(warehouse)) if is_there else []
    except PipelineError as error:
        yield failed_by("warehouse.catalog", error) if settings.lake_catalog else _unreadable_pulls(error)
        return
    if not is_there:
        yield skipped("warehouse.lock", "there is no warehouse yet; the first `pull` creates it")
        yield from (_check_clinic_pull(clinic, None) for clinic in clinics)
        return
    place = of_lake or [_check_lock(settings)]
    yield from place
    if place[0].what.startswith("held"):
        yield skipped("warehouse.pulls", f"the warehouse is {place[0].what}")
        return
    yield from _check_contents(settings, warehouse, store, clinics)


def _check_contents(
    settings: Settings, warehouse: Warehouse, store: StateStore | None, clinics: Sequence[Clinic]
) -> Iterator[Finding]:
    try:
        with warehouse.read() as con:
            pulled = pull_log.last_full_loads(con)
            refused = {clinic.clinic_key: pull_log.refused_tables(con, clinic.clinic_id) for clinic in clinics}
            catalogs = {
                region: pull_log.last_products_read(con, region, refusals=True)
                for region in sorted({clinic.region for clinic in clinics})
            }
            pending = [_check_stored_times(con, settings.time_zone), *check_pending_work(con)]
            views = [*_check_views(con, clinics), *(check_purged(con, store) if store else ())]
    except (PipelineError, duckdb.Error) as error:
        yield _unreadable_pulls(error)
        return
    opens_with_key = settings.warehouse_key and not settings.lake_catalog
    yield passed("warehouse.open", "can be opened with the configured key" if opens_with_key else "can be read")
    yield from pending
    yield from views
    yield from (_check_catalog_pull(region, last) for region, last in catalogs.items())
    for clinic in clinics:
        yield _check_clinic_pull(clinic, pulled.get(clinic.clinic_id))
        yield _check_access(clinic, refused[clinic.clinic_key])


def has_data(settings: Settings) -> bool:
    """Whether something was ever pulled; True where a lake cannot be asked."""
    with suppress(PipelineError):
        return warehouse_of(settings).exists()
    return True


def _unreadable_pulls(error: PipelineError | duckdb.Error) -> Finding:
    if isinstance(error, Busy):
        return skipped("warehouse.pulls", str(error))
    problem = error if isinstance(error, PipelineError) else PipelineError("The warehouse has no table ops.pulls.")
    return failed_by("warehouse.pulls", problem)


def _check_lock(settings: Settings) -> Finding:
    """Reads the lock's files; holds the lock itself only to see that it is free."""
    lock = settings.warehouse_path.with_name(f"{settings.warehouse_path.name}.lock")
    if not lock.exists():
        return _check_open_programs(settings.warehouse_path)
    try:
        with lock_is_free(settings.warehouse_path) as is_free:
            if is_free:
                return _check_open_programs(settings.warehouse_path)
    except OSError as problem:
        return skipped("warehouse.lock", f"its lock file cannot be opened ({problem.strerror})")
    return _check_holder(lock.with_name(f"{settings.warehouse_path.name}.holder"))


def _check_open_programs(warehouse: Path) -> Finding:
    """Finds a program that has the file open without the lock: a notebook, the DuckDB shell.

    Called while this process holds the lock, so no run has the file open.
    """
    file = warehouse.resolve()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and any(Path(opened.path) == file for opened in process.open_files()):
                return failed(
                    "warehouse.lock",
                    f"held by process {process.pid} ({process.name()}), which is not a run",
                    "Every run waits for it, and fails with exit code 75 after 300 s: close the file there. For "
                    "notebooks, `fullscript-pipeline publish` makes a copy.",
                )
    return passed("warehouse.lock", "free")


def _check_holder(holder_file: Path) -> Finding:
    """Reads which process took the lock last, and when: it writes the holder file each time."""
    holder, since = _read_holder(holder_file)
    held = timedelta(seconds=clock.real_now().timestamp() - since)
    if holder is None or not holder.is_alive():
        return passed("warehouse.lock", "held by another process, perhaps of another container or machine")
    try:
        what = f"held by process {holder.pid} ({psutil.Process(holder.pid).name()}) since {held.total_seconds():.0f} s"
    except psutil.Error:
        return passed("warehouse.lock", "held by another process")
    if held > _HELD_TOO_LONG:
        fix = f"A run holds it for seconds only: stop process {holder.pid}, or wait until it ends."
        return failed("warehouse.lock", what, fix)
    return passed("warehouse.lock", what)


def _read_holder(holder_file: Path) -> tuple[ProcessIdentity | None, float]:
    try:
        return ProcessIdentity.parse(holder_file.read_text()), holder_file.stat().st_mtime
    except (OSError, ValueError):
        return None, 0.0


def _check_catalog_pull(region: str, pulled: datetime | None) -> Finding:
    check = f"catalog.{region}.pulled"
    fix = "Run `fullscript-pipeline pull`, and read its message about the region."
    # A warning only: a user who pulls single clinics by hand may not need the catalog.
    return warned(check, "never pulled", fix) if pulled is None else _check_recent(check, pulled, fix)


def _check_clinic_pull(clinic: Clinic, pulled: datetime | None) -> Finding:
    fix = f"Run `fullscript-pipeline pull --clinic {clinic.clinic_key}`, and read its message."
    return _check_recent(f"clinic.{clinic.clinic_key}.pulled", pulled, fix)


def _check_access(clinic: Clinic, refused: Mapping[str, datetime | None]) -> Finding:
    check = f"clinic.{clinic.clinic_key}.readable"
    if not refused:
        return passed(check, "the server refuses nothing that its pages need")
    tables = ", ".join(
        f"{table} ({f'last read {at:%Y-%m-%d %H:%M} UTC' if at else 'never read'})" for table, at in refused.items()
    )
    return failed(
        check,
        f"the server refuses {tables}",
        "Give the app the scopes in the vendor's dashboard, run `fullscript-pipeline connect "
        f"{clinic.server}` as a user who may see them, then pull again. Until then the pages say what they lack.",
    )


def _check_recent(check: str, pulled: datetime | None, fix: str) -> Finding:
    if pulled is None:
        return failed(check, "never pulled", fix)
    late = clock.now() - pulled
    what = f"last pulled {pulled:%Y-%m-%d %H:%M} UTC"
    if late > _LATE:
        return failed(check, f"{what}, {counted(late.days, 'day')} ago", fix)
    return passed(check, what)


def _check_stored_times(con: duckdb.DuckDBPyConnection, time_zone: ZoneInfo) -> Finding:
    latest = clock.now() + _TOLERANCE
    ahead = count_future(con, latest, clock.day_of(latest, time_zone))
    if not ahead:
        return passed("warehouse.times", "no stored time is in the future")
    rows = ", ".join(f"{table} {number}" for table, number in ahead.items())
    what = f"{counted(sum(ahead.values()), 'row')} with a time in the future ({rows}), so every pull is refused"
    return failed(
        "warehouse.times",
        what,
        "Synchronise this machine's clock (NTP), or unset FULLSCRIPT_NOW; then run `fullscript-pipeline clock repair`, "
        "which moves them back to now.",
    )


def _check_views(con: duckdb.DuckDBPyConnection, clinics: Sequence[Clinic]) -> Iterator[Finding]:
    """A finding for each clinic and region; none for a file from before views were recorded."""
    if not con.execute("SELECT 1 FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'views'").fetchone():
        return
    for clinic in clinics:
        yield _check_view(
            con,
            f"clinic.{clinic.clinic_key}.view",
            owner=clinic.clinic_id,
            servers=clinic.server,
            clinic=clinic.clinic_key,
        )
    for region in sorted({clinic.region for clinic in clinics}):
        servers = " or ".join(sorted({clinic.server for clinic in clinics if clinic.region == region}))
        yield _check_view(con, f"catalog.{region}.view", owner=region, servers=servers, clinic="CLINIC")


def _check_view(con: duckdb.DuckDBPyConnection, check: str, owner: str, servers: str, clinic: str) -> Finding:
    narrowed = narrowings(con, owner)
    if not narrowed:
        return passed(check, "the connected user sees everything that was seen before")
    lacking = sorted({scope for narrowing in narrowed for scope in narrowing.lacks})
    scopes = f"with {', '.join(lacking)}" if lacking else "with the same permissions"
    who = (
        "the earlier user (the clinic's owner)"
        if any(narrowing.is_different_user for narrowing in narrowed)
        else "the same user"
    )
    return warned(
        check,
        "; ".join(narrowing.sentence for narrowing in narrowed),
        f"Run `fullscript-pipeline connect {servers}` as {who} {scopes}, then pull. If the present user sees all data "
        f"of the clinic, run `fullscript-pipeline clinics accept-view {clinic}`.",
    )
