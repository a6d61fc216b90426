"""Who holds the warehouse, and when each clinic was last pulled.

The file is opened only when nobody holds it, and only to read. What does not belong here: repairing anything.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import psutil
from filelock import FileLock, Timeout

from fullscript_pipeline import clock
from fullscript_pipeline.errors import Busy, PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped, warned
from fullscript_pipeline.health.pending_work import check_pending_work
from fullscript_pipeline.health.purged import check_purged
from fullscript_pipeline.health.stored_times import check_stored_times
from fullscript_pipeline.health.views import check_views
from fullscript_pipeline.plural import counted
from fullscript_pipeline.process_identity import ProcessIdentity
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.loading import pull_log

# A daily pull that is this late has been missed.
_LATE = timedelta(hours=36)
# A run keeps the file for seconds at a time; whoever keeps it so long is stuck, or a program that was left open.
_HELD_TOO_LONG = timedelta(hours=1)


def check_warehouse(settings: Settings, store: StateStore | None) -> Iterator[Finding]:
    """Who holds the file; then, for every connected clinic, its last pull."""
    clinics = store.clinics() if store else []
    if not settings.warehouse_path.exists():
        yield skipped("warehouse.lock", "there is no warehouse yet; the first `pull` makes it")
        yield from (_check_clinic_pull(clinic, None) for clinic in clinics)
        return
    lock = _check_lock(settings)
    yield lock
    if lock.what.startswith("held"):
        yield skipped("warehouse.pulls", f"the warehouse is {lock.what}")
        return
    try:
        with Warehouse(settings.warehouse_path, settings.warehouse_key, lock_wait=2.0).read() as con:
            pulled = pull_log.last_full_loads(con)
            refused = {clinic.clinic_key: pull_log.refused_tables(con, clinic.clinic_id) for clinic in clinics}
            catalogs = {
                region: pull_log.last_products_read(con, region, refusals=True)
                for region in sorted({clinic.region for clinic in clinics})
            }
            pending = [check_stored_times(con, settings.time_zone), *check_pending_work(con)]
            views = [*check_views(con, clinics), *(check_purged(con, store) if store else ())]
    except Busy as error:
        yield skipped("warehouse.pulls", str(error))
        return
    except (PipelineError, duckdb.Error) as error:
        problem = error if isinstance(error, PipelineError) else PipelineError("The warehouse has no table ops.pulls.")
        yield failed_by("warehouse.pulls", problem)
        return
    yield passed(
        "warehouse.open", "can be opened with the key as it is set" if settings.warehouse_key else "can be read"
    )
    yield from pending
    yield from views
    yield from (_check_catalog_pull(region, last) for region, last in catalogs.items())
    for clinic in clinics:
        yield _check_clinic_pull(clinic, pulled.get(clinic.clinic_id))
        yield _check_access(clinic, refused[clinic.clinic_key])


def _check_lock(settings: Settings) -> Finding:
    """Reads the lock's files; takes the lock itself for no longer than it takes to see that it is free."""
    lock = settings.warehouse_path.with_name(f"{settings.warehouse_path.name}.lock")
    if not lock.exists():
        return _check_open_programs(settings.warehouse_path)
    try:
        with FileLock(lock, timeout=0, mode=0o600):
            return _check_open_programs(settings.warehouse_path)
    except Timeout:
        pass
    except OSError as problem:
        return skipped("warehouse.lock", f"its lock file cannot be opened ({problem.strerror})")
    return _check_holder(lock.with_name(f"{settings.warehouse_path.name}.holder"))


def _check_open_programs(warehouse: Path) -> Finding:
    """A program that has the file open and knows nothing of our lock: a notebook, the DuckDB shell.

    Asked while the lock is ours: no run has the file.
    """
    file = warehouse.resolve()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and any(Path(opened.path) == file for opened in process.open_files()):
                return failed(
                    "warehouse.lock",
                    f"held by process {process.pid} ({process.name()}), which is no run",
                    "Every run waits for it, and ends with exit code 75 after 300 s: close the file there; for "
                    "notebooks `fullscript-pipeline publish` makes a copy.",
                )
    return passed("warehouse.lock", "free")


def _check_holder(holder_file: Path) -> Finding:
    """Who wrote the note last, and when: it is written each time the lock is taken."""
    holder, since = _read_holder(holder_file)
    held = timedelta(seconds=clock.real_now().timestamp() - since)
    if holder is None or not holder.is_alive():
        return passed("warehouse.lock", "held by another process, perhaps of another container or machine")
    try:
        what = f"held by process {holder.pid} ({psutil.Process(holder.pid).name()}) since {held.total_seconds():.0f} s"
    except psutil.Error:
        return passed("warehouse.lock", "held by another process")
    if held > _HELD_TOO_LONG:
        fix = f"A run keeps it for seconds: stop process {holder.pid}, or wait for its end."
        return failed("warehouse.lock", what, fix)
    return passed("warehouse.lock", what)


def _read_holder(holder_file: Path) -> tuple[ProcessIdentity | None, float]:
    try:
        return ProcessIdentity.parse(holder_file.read_text()), holder_file.stat().st_mtime
    except (OSError, ValueError):
        return None, 0.0


def _check_catalog_pull(region: str, pulled: datetime | None) -> Finding:
    check = f"catalog.{region}.pulled"
    fix = "Run `fullscript-pipeline pull`, and read its sentence of the region."
    # Whoever pulls single clinics by hand may do without.
    return warned(check, "never pulled", fix) if pulled is None else _check_recent(check, pulled, fix)


def _check_clinic_pull(clinic: Clinic, pulled: datetime | None) -> Finding:
    fix = f"Run `fullscript-pipeline pull --clinic {clinic.clinic_key}`, and read its sentence."
    return _check_recent(f"clinic.{clinic.clinic_key}.pulled", pulled, fix)


def _check_access(clinic: Clinic, refused: Mapping[str, datetime | None]) -> Finding:
    check = f"clinic.{clinic.clinic_key}.readable"
    if not refused:
        return passed(check, "nothing that its pages stand on is refused")
    tables = ", ".join(
        f"{table} ({f'read last {at:%Y-%m-%d %H:%M} UTC' if at else 'never'})" for table, at in refused.items()
    )
    return failed(
        check,
        f"the server refuses {tables}",
        "Give the app the scopes in the vendor's dashboard and run `fullscript-pipeline connect "
        f"{clinic.server}` as a user who may see them, then pull again; the pages say what they lack until then.",
    )


def _check_recent(check: str, pulled: datetime | None, fix: str) -> Finding:
    if pulled is None:
        return failed(check, "never pulled", fix)
    late = clock.now() - pulled
    what = f"last pulled {pulled:%Y-%m-%d %H:%M} UTC"
    if late > _LATE:
        return failed(check, f"{what}, {counted(late.days, 'day')} ago", fix)
    return passed(check, what)
