"""Promises 22 and 36: an endpoint that the app may not read costs what only that endpoint tells, and nothing else.

What does not belong here: which endpoints, and what else may be wrong with them (the tests say).
"""

import time
from collections.abc import Callable
from pathlib import Path

from fullscript_pipeline.api.endpoints import ENDPOINTS
from fullscript_pipeline_tests.drills.fault_drill import fresh, pull_all
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.pipeline import Connected
from fullscript_pipeline_tests.helpers.table_hash import differing_tables, table_hashes


def count_requests(connected: Connected) -> dict[str, int]:
    """Requests by endpoint since the last reset, token calls aside."""
    counts: dict[str, int] = {}
    for row in connected.sandbox.control.requests()["counts"]:
        if row["method"] == "GET":
            counts[row["endpoint"]] = counts.get(row["endpoint"], 0) + row["count"]
    return counts


def a_denial_costs_a_single_table(connected: Connected, folder: Path, wanted: Callable[[str], bool]) -> None:
    """A clinic's resources are pulled whole, then again with 401 from each `wanted` endpoint in turn."""
    started, control = time.monotonic(), connected.sandbox.control
    missing: dict[str, list[str]] = {}
    with fresh(connected, folder / "denied") as (warehouse, store, one):
        control.reset_requests()
        pull_all(warehouse, store, one)
        clean, endpoints = table_hashes(warehouse), [path for path in sorted(count_requests(connected)) if wanted(path)]
        before = {report.resource: report.outcome for report in pull_all(warehouse, store, one)}
        named = 0
        for path in endpoints:
            control.arm("unauthorized", endpoint=path, count=None)
            reports = pull_all(warehouse, store, one)
            control.disarm()
            named += sum(str(report.reason).startswith(_name(path)) for report in reports)
            changed = {
                report.resource: report.reason for report in reports if report.outcome != before[report.resource]
            }
            hashes = table_hashes(warehouse)
            missing[path] = _others(path, changed) + differing_tables(clean, hashes)
        dead = [clinic.clinic_key for clinic in store.clinics.all() if clinic.status != "ok"]
    report_promise(
        "promise 36", endpoints=len(endpoints), other_tables_missing=sum(map(len, missing.values())),
        needless_connects=len(dead), told=named, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert {path: tables for path, tables in missing.items() if tables} == {}
    assert dead == []


def _name(path: str) -> str:
    return next(name for name, endpoint in ENDPOINTS.items() if _anonymous(endpoint.path) == _anonymous(path))


def _anonymous(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _others(path: str, changed: dict[str, str | None]) -> list[str]:
    """Resources that were not loaded although it was another endpoint that was denied."""
    return [resource for resource, reason in changed.items() if not str(reason).startswith(f"{_name(path)} ")]
