"""Read-only checks of the whole installation. Each returns findings; nothing here changes or prints anything.

What does not belong here: repairs, and printing (`cli/doctor.py`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.health.audit import backup_audit_heads, check_audit_log
from fullscript_pipeline.health.clinics import check_clinics, check_connected
from fullscript_pipeline.health.copies import check_copies
from fullscript_pipeline.health.events import check_events
from fullscript_pipeline.health.files import check_files
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped
from fullscript_pipeline.health.metrics import render_metrics, serve_metrics
from fullscript_pipeline.health.overview import operators_file
from fullscript_pipeline.health.purged import stored_purged_patients
from fullscript_pipeline.health.run_queue import check_run_queue
from fullscript_pipeline.health.runs import check_runs
from fullscript_pipeline.health.servers import check_servers
from fullscript_pipeline.health.settings_and_files import check_setup, configured_servers
from fullscript_pipeline.health.volume import check_disk_usage, format_bytes
from fullscript_pipeline.health.warehouse import check_warehouse, has_data
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import RemoteDatabase, StateStore


def check_all(settings: Settings) -> Iterator[Finding]:
    """Runs every check, the cheap ones first. Raises no PipelineError: every problem is a finding."""
    if not _is_readable(settings.data_dir):
        yield from check_setup(settings, None)
        yield skipped("state.store", f"the folder {settings.data_dir} cannot be read")
        yield from check_servers(settings, None)
        return
    store, store_finding = _open_store(settings)
    try:
        yield from check_setup(settings, store.facts.get("kind") if store else None)
        yield check_disk_usage(settings, store)
        yield store_finding
        if store:
            yield check_audit_log(settings, store)
        yield from check_servers(settings, store)
        # Of a state store that is there and could not be opened nothing is known: its own finding says why.
        if store or store_finding.state == "skip":
            yield from check_connected(store, has_data=has_data(settings))
        if store:
            yield from check_clinics(store)
            yield from check_events(settings, store)
        yield from check_warehouse(settings, store)
        yield from check_files(settings)
        yield from check_copies(settings)
        yield from check_runs(settings, store)
        yield from check_run_queue(settings)
    finally:
        if store:
            store.close()


def exit_code(findings: list[Finding]) -> int:
    """0 when nothing failed; else 78 (first, because nothing works without correct settings), 77, or 1."""
    codes = {finding.exit_code for finding in findings if finding.state == "fail"}
    return next((code for code in (ConfigurationError.exit_code, 77, 1) if code in codes), 0)


def _is_readable(folder: Path) -> bool:
    """Whether the folder can be listed; also True for one that does not exist yet."""
    try:
        return not folder.exists() or os.access(folder, os.R_OK | os.X_OK)
    except PermissionError:
        return False


def _open_store(settings: Settings) -> tuple[StateStore | None, Finding]:
    try:
        if not StateStore.exists(settings):
            return None, skipped("state.store", f"there is none at {settings.state_place} yet; `connect` creates it")
        store = StateStore.open(settings, read_only=True)
    except PipelineError as error:
        return None, failed_by("state.store", error)
    try:
        damage = store.db.damage()
    except PipelineError as error:
        return store, failed_by("state.store", error)
    if damage is not None:
        return store, failed(
            "state.store",
            f"the state store {settings.state_place} is damaged ({damage})",
            "Run `fullscript-pipeline restore` with a backup; without one, move the file away and connect again.",
        )
    if isinstance(store.db, RemoteDatabase):
        return store, _check_remote(store.db)
    return store, passed("state.store", "can be read, and its tables and indexes are consistent")


def _check_remote(database: RemoteDatabase) -> Finding:
    """Tokens are encrypted with the pipeline's key; ids of clinics, patients and events are readable on the way."""
    what = f"{database.place} can be read, {'over TLS' if database.uses_tls() else 'without TLS'}"
    if database.uses_tls() or database.is_on_this_machine():
        return passed("state.store", what)
    return failed("state.store", what, "Add `?sslmode=verify-full` to FULLSCRIPT_STATE_URL, and TLS to the server.")


__all__ = [
    "Finding",
    "backup_audit_heads",
    "check_all",
    "check_clinics",
    "configured_servers",
    "exit_code",
    "failed",
    "format_bytes",
    "operators_file",
    "render_metrics",
    "serve_metrics",
    "stored_purged_patients",
]
