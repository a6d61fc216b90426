"""Checks of the volume of the data directory: whether it is encrypted, and what uses its space.

What does not belong here: encryption of the pipeline's files, and removing files (`warehouse.files`).
"""

import os
import sqlite3
from contextlib import closing, suppress
from operator import itemgetter
from pathlib import Path

import psutil

from fullscript_pipeline.health.finding import Finding, passed
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, landing_days

# Of each clinic's day in the grid: how many there are, and how many days.
_CLINIC_DAYS = """SELECT count(DISTINCT partition), count(DISTINCT substr(partition, -10)) FROM event_logs
    WHERE asset_key = '["core", "clinics"]' AND dagster_event_type = 'ASSET_MATERIALIZATION'"""
# A first pull reads everything: from a few days nothing can be said about a year.
_ENOUGH_DAYS = 7
_ENCRYPTING = frozenset({"ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs", "fuse.securefs"})


def check_disk_usage(settings: Settings, store: StateStore | None) -> Finding:
    """A finding with the disk space that each part of the data directory uses. `store`: None when there is none."""
    parts = disk_usage_by_folder(settings)
    used = ", ".join(f"{name} {format_bytes(size)}" for name, size in parts.items())
    keep = landing_days(settings, store.facts) if store else settings.keep_landing_days
    retention = f"landing files are kept {counted(keep, 'day')}" if keep else "landing files are kept forever"
    growth = _yearly_growth(settings, sum(parts.values()))
    return passed("files.use", f"{used or 'nothing'}; {growth}{retention} (FULLSCRIPT_KEEP_LANDING_DAYS)")


def _yearly_growth(settings: Settings, used: int) -> str:
    """What a clinic adds in a year at the present rate, by the clinic-days in Dagster's grid; empty in the first days.

    Dagster's file is read without importing Dagster, as in `runs`.
    """
    path = settings.dagster_home / "history/runs/index.db"
    pulls = days = 0
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as index:
        pulls, days = index.execute(_CLINIC_DAYS).fetchone()
    if days < _ENOUGH_DAYS:
        return ""
    yearly = format_bytes(round(used / pulls * 365))
    return f"about {yearly} a clinic and year so far ({counted(pulls, 'daily pull')}); "


def disk_usage_by_folder(settings: Settings) -> dict[str, int]:
    """Bytes by folder of the data directory (the warehouse and the state store by name), the largest first."""
    sizes: dict[str, int] = {}
    for path in settings.data_dir.rglob("*") if settings.data_dir.is_dir() else ():
        try:
            if path.is_file() and not path.is_symlink():
                part = path.relative_to(settings.data_dir).parts[0]
                name = "warehouse" if part.startswith("fullscript.duckdb") else part.partition(".sqlite")[0]
                sizes[name] = sizes.get(name, 0) + path.stat().st_size
        except OSError:
            continue  # removed meanwhile
    return dict(sorted(((name, size) for name, size in sizes.items() if size), key=itemgetter(1), reverse=True))


def format_bytes(size: int) -> str:
    """A number of bytes with the unit that people would use."""
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def is_encrypted(folder: Path, sys_block: Path = Path("/sys/dev/block")) -> bool | None:
    """None when unknown: not Linux, a container's overlay, a network share, a disk that the provider encrypts.

    `sys_block`: where the kernel lists block devices; tests replace it.
    """
    if _file_system_type(folder) in _ENCRYPTING:
        return True
    device = folder.stat().st_dev
    node = sys_block / f"{os.major(device)}:{os.minor(device)}"
    return _is_dm_crypt(node.resolve()) if node.exists() else None


def _is_dm_crypt(node: Path) -> bool:
    """Whether this block device, or one below it, is a dm-crypt volume (LUKS)."""
    name = node / "dm" / "uuid"
    if name.exists() and name.read_text().startswith("CRYPT-"):
        return True
    slaves = node / "slaves"
    return slaves.is_dir() and any(_is_dm_crypt(slave.resolve()) for slave in slaves.iterdir())


def _file_system_type(folder: Path) -> str:
    """The type of the file system that `folder` is on."""
    mounts = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    real = folder.resolve()
    return next((mounts[str(path)] for path in (real, *real.parents) if str(path) in mounts), "")
