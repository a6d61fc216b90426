"""The most memory that this process has held. Needs nothing but Python.

What does not belong here: judging it.
"""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_mb() -> float:
    """MiB. Linux counts into `ru_maxrss` what the process that started this one had held until then, so there the
    kernel's count of this program alone is read."""
    if _STATUS.exists():
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024**2 if sys.platform == "darwin" else most / 1024
