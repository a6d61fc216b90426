"""What looking at the runs costs, on an instance with a long history.

    python benchmarks/doctor.py                    # 6,000 runs of three days
    python benchmarks/doctor.py 100000             # as many of three days
    python benchmarks/doctor.py 100000 --days 300  # of most of a year: doctor looks at three days

Prints CPU seconds of what is done every hour (the check of failed runs, of `doctor`), every 30 seconds (orphans) and,
for each clinic, every 15 (is a refresh queued already?).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fullscript_pipeline.health.runs import check_runs
from fullscript_pipeline.orchestration.automation.refresh_requests import has_queued_refresh
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.orphans import fail_orphans
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.many_runs import add_runs


def show(what: str, act: Callable[[], object]) -> None:
    """A line of the result; `act` is done once before, so that files are warm."""
    act()
    began = time.process_time()
    act()
    print(f"{what:<40} {time.process_time() - began:7.3f} CPU s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=int, nargs="?", default=6_000)
    parser.add_argument("--days", type=float, default=2.9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FULLSCRIPT_DATA_DIR"] = folder
        settings = load_settings()
        with open_instance(settings) as instance:
            add_runs(instance, given.runs, days=given.days)
            print(f"{given.runs:,} runs within {given.days:g} days")
            show("doctor: runs.failed", lambda: list(check_runs(settings, None)))
            show("orphaned_runs_sensor", lambda: fail_orphans(instance))
            show("is a refresh queued, one clinic", lambda: has_queued_refresh(instance, "clinic-1"))


if __name__ == "__main__":
    main()
