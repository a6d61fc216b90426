"""A night: the days of many clinics as runs of a queue, with a reader on a machine of its own beside them.

What does not belong here: what is promised of it.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg2

from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline_tests.helpers.machines import Machines, machines
from fullscript_pipeline_tests.helpers.wait_until import wait

_LONGEST_SECONDS = 7000
_WAITING = """SELECT pid, query_start, extract(epoch FROM clock_timestamp() - query_start)::float
    FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'
    AND query LIKE '%pg_advisory_lock(%'"""


def a_night(folder: Path, *, clinics: int, patients: int, workers: int) -> dict[str, float]:
    """Runs it; returns what was measured, times in seconds."""
    with machines(folder, clinics=clinics, patients=patients, workers=workers) as made:
        keys = [clinic.clinic_key for clinic in made.connected.store.clinics.all()]
        began = time.monotonic()
        with _measured(made) as (reads, waits):
            runs = [made.submit(key) for key in keys]
            wait(lambda: all(made.run(run_id).is_finished for run_id in runs), _LONGEST_SECONDS, 1)
            seconds = time.monotonic() - began
        ended = [made.run(run_id).status for run_id in runs]
        summary = made.connected.sandbox.control.requests()
        rows = made.patients()
        assert len(rows) == clinics
        assert all(number == people for _, number, people in rows)
        return {
            "clinics": clinics,
            "workers": len({made.taken_by(run_id) for run_id in runs}),
            "seconds": seconds,
            "failed": sum(status is not dg.DagsterRunStatus.SUCCESS for status in ended),
            "most_in_300_s": max(summary["max_in_window"].values(), default=0),
            "too_many_requests": sum(row["count"] for row in summary["counts"] if row["status"] == 429),
            "writers_wait_p95": _p95(list(waits.values())),
            "reads": len(reads),
            "readers_p95": _p95(reads),
            "names_in_the_bucket": _names_in_bucket(made),
        }


@contextmanager
def _measured(made: Machines) -> Iterator[tuple[list[float], dict[tuple[int, str], float]]]:
    """The seconds of each read, and how long each writer waited for its turn, as PostgreSQL shows it."""
    reads: list[float] = []
    waits: dict[tuple[int, str], float] = {}
    ended = threading.Event()
    threads = [threading.Thread(target=_read, args=(made, reads, ended))]
    threads.append(threading.Thread(target=_watch, args=(made, waits, ended)))
    for thread in threads:
        thread.start()
    try:
        yield reads, waits
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _read(made: Machines, reads: list[float], ended: threading.Event) -> None:
    lake = open_warehouse(made.connected.settings)
    assert isinstance(lake, Lake)
    while not ended.wait(0.5):
        began = time.monotonic()
        with lake.read() as con:
            con.execute("SELECT clinic_id, count(*) FROM core.orders GROUP BY ALL").fetchall()
        reads.append(time.monotonic() - began)
    lake.close_if_unused()


def _watch(made: Machines, waits: dict[tuple[int, str], float], ended: threading.Event) -> None:
    address = made.connected.settings.lake_catalog
    assert address is not None
    connection = psycopg2.connect(address)
    connection.autocommit = True
    with connection.cursor() as cursor:
        while not ended.wait(0.1):
            cursor.execute(_WAITING)
            for pid, began, seconds in cursor.fetchall():
                waits[pid, str(began)] = seconds
    connection.close()


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else max(seconds, default=0.0)


def _names_in_bucket(made: Machines) -> int:
    """In how many objects of the lake and of landing a patient's last name stands, in the name or the bytes."""
    lake = open_warehouse(made.connected.settings)
    assert isinstance(lake, Lake)
    with lake.read() as con:
        found = con.execute("SELECT DISTINCT last_name FROM core.patients WHERE len(last_name) > 6").fetchall()
    lake.close_if_unused()
    names = [str(name).encode() for (name,) in found]
    files = open_files(made.connected.settings, "")
    count = 0
    for name in (*files.names_below("lake"), *files.names_below("landing")):
        content = name.encode() + (files.get(name) or b"")
        count += any(one in content for one in names)
    return count
