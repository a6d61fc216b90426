"""Identifies a process uniquely: a process id alone is reused, after a restart or in another container.

An identity consists of the machine (a hash of its name), its boot, the namespace of its process ids, the process id and
the start time. What does not belong here: what follows from a dead process (`orchestration.runtime.orphans`).
"""

import hashlib
import os
import platform
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

import psutil

_PROC = Path("/proc")
# A zombie has ended; only its parent has not read its exit status.
_ENDED = frozenset("ZX")


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity:
    """`boot` and `namespace` are empty if the system does not provide them; `started` is in the system's own unit."""

    machine: str
    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Self:
        """This process."""
        machine, boot, namespace = _here()
        pid = os.getpid()
        return cls(machine=machine, boot=boot, namespace=namespace, pid=pid, started=_start_of(pid) or "")

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parses the text of `str()`; None for any other text."""
        parts = text.strip().split("/")
        if len(parts) != 5 or not (parts[3].isascii() and parts[3].isdigit() and len(parts[3]) < 12):
            return None
        machine, boot, namespace, pid, started = parts
        return cls(machine=machine, boot=boot, namespace=namespace, pid=int(pid), started=started)

    def __str__(self) -> str:
        return "/".join(map(str, astuple(self)))

    @property
    def runs_on_this_kernel(self) -> bool:
        """Whether its locks are visible from here: the same boot, perhaps in another container."""
        machine, boot, _ = _here()
        return self.boot == boot if boot else self.machine == machine

    def is_alive(self) -> bool | None:
        """Whether the process runs; None if that is unknown here (another machine or container)."""
        machine, boot, namespace = _here()
        if self.boot != boot:
            return False if self.machine == machine else None  # the machine was restarted since
        if self.namespace != namespace or (not boot and self.machine != machine):
            return None
        return _start_of(self.pid) == self.started


def started_after(pid: int, moment: float) -> bool | None:
    """Whether process `pid` started after `moment` (seconds since 1970); None: there is no such process."""
    if _start_of(pid) is None:
        return None
    try:
        return psutil.Process(pid).create_time() > moment
    except psutil.NoSuchProcess:
        return None


def _here() -> tuple[str, str, str]:
    # Machines that were cloned from one image may share the name or the machine id.
    name = platform.node() + _read(Path("/etc/machine-id"))
    machine = hashlib.sha256(name.encode()).hexdigest()[:12]
    return machine, _read(_PROC / "sys/kernel/random/boot_id").replace("-", "")[:12], _namespace()


def _namespace() -> str:
    try:
        return "".join(filter(str.isdigit, str((_PROC / "self/ns/pid").readlink())))
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When a process started; None if there is none, or it has ended."""
    if not (_PROC / "self/stat").exists():
        return _start_by_psutil(pid)
    # After the name, which may hold anything: state, then 18 numbers, then the start in clock ticks since boot.
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in _ENDED else None


def _start_by_psutil(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.0f}"
    except psutil.NoSuchProcess:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
