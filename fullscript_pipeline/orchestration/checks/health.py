"""Checks of the whole installation, independent of any run: tokens, request budget, quarantine.

They send no request, so an hourly job runs them (`health_checks`); `doctor` reports the same. What does not belong
here: tables that a run has just written (`tables`), event feeds and webhooks (`events`).
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.health import check_clinics, configured_servers
from fullscript_pipeline.orchestration.assets import (
    OWNER,
    with_code,
    with_columns,
    with_freshness,
    with_reference_links,
)
from fullscript_pipeline.orchestration.runtime import StateResource, WarehouseResource
from fullscript_pipeline.state import ClinicRecords, RequestBudget, StateStore
from fullscript_pipeline.warehouse.loading import drift, pull_log, quarantine

# Above this share of a day's budget, a first pull or a slow day no longer fits.
_MAX_DAY_SHARE = 0.8
_WINDOWS_A_DAY = 24 * 12


def _operations_spec(
    key: str, what: str, kind: str, writer: Callable[..., Any] | type, *, phi: bool = False
) -> dg.AssetSpec:
    """The spec of a table that every run writes to and that no asset materializes."""
    answer = "yes" if phi else "no"
    spec = dg.AssetSpec(
        dg.AssetKey(key.split("/")),
        description=f"{what}\n\nWritten by every run, without a request. PHI: {answer}.",
        group_name="operations",
        owners=[OWNER],
        kinds={kind},
        tags={"phi": answer},
    )
    return with_freshness(with_reference_links(with_columns(with_code(spec, writer))))


OPERATIONS = (
    _operations_spec(
        "ops/pulls", "What each run requested, received and wrote, per resource.", "duckdb", pull_log.record
    ),
    # It holds the record itself until the record can be loaded or is purged.
    _operations_spec(
        "ops/quarantine",
        "Records that could not be loaded, with the reason.",
        "duckdb",
        quarantine.move_untyped,
        phi=True,
    ),
    _operations_spec(
        "ops/drift",
        "Answers whose shape differs from the API's description: names of keys, never values.",
        "duckdb",
        drift.record,
    ),
    _operations_spec(
        "state/clinics",
        "The connected clinics and their grants, encrypted with the encryption key.",
        "sqlite",
        ClinicRecords,
    ),
    _operations_spec(
        "state/requests",
        "How much of the request budget all processes together have used.",
        "sqlite",
        RequestBudget,
    ),
)


@dg.asset_check(
    asset=dg.AssetKey(["state", "clinics"]),
    name="tokens_are_healthy",
    description=(
        "Every connected clinic has a working grant with the scopes that the pipeline reads with. What to do: run "
        "`fullscript-pipeline connect ENV` as a user of the clinic that is named; `doctor` shows more."
    ),
)
def tokens_are_healthy(state: StateResource) -> dg.AssetCheckResult:
    with state.open() as store:
        findings = [finding for finding in check_clinics(store) if finding.id.startswith("clinic.")]
        clinics = len(store.clinics.all())
    bad = [finding for finding in findings if finding.state == "fail"]
    return dg.AssetCheckResult(
        passed=not bad,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"clinics": clinics, "problems": len(bad)},
        description=" ".join(f"{finding.id}: {finding.sentence}" for finding in bad) or "All grants work.",
    )


@dg.asset_check(
    asset=dg.AssetKey(["state", "requests"]),
    name="budget_is_enough",
    description=(
        f"A day's requests take at most {_MAX_DAY_SHARE:.0%} of a day's budget, and no server has asked for a pause. "
        "What to do: see in ops.pulls which resource sends most requests; raise FULLSCRIPT_REQUESTS_PER_5_MIN if it is "
        "below the vendor's limit, or ask the vendor for a higher limit."
    ),
)
def budget_is_enough(state: StateResource, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    since = clock.now() - timedelta(days=1)
    with warehouse.open().read() as con:
        requests = dict(
            con.execute(
                "SELECT server, sum(requests) FROM ops.pulls WHERE observed_at >= ? GROUP BY ALL", [since]
            ).fetchall()
        )
    with state.open() as store:
        used = list(_budget_use(state, store))
    most = max((float(requests.get(server, 0)) / (limit * _WINDOWS_A_DAY) for server, _, limit, _ in used), default=0.0)
    paused = [f"{server} ({pause:.0f} s more)" for server, _, _, pause in used if pause]
    sentence = f"{most:.1%} of a day's requests in the last 24 hours."
    return dg.AssetCheckResult(
        passed=most <= _MAX_DAY_SHARE and not paused,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "requests_last_day": int(sum(requests.values())),
            "day_used_percent": round(100 * most, 2),
            "window_used_percent": round(100 * max((now / limit for _, now, limit, _ in used), default=0.0), 1),
        },
        description=f"{sentence} A pause was asked by {', '.join(paused)}: runs wait for it." if paused else sentence,
    )


def _budget_use(state: StateResource, store: StateStore) -> Iterator[tuple[str, int, int, float]]:
    """For each configured server: requests used in this window, the limit, seconds left of a requested pause."""
    settings = state.settings.read()
    for server in configured_servers(settings):
        budget = store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
        yield server.name, budget.used(), budget.limit, budget.held_seconds()


@dg.asset_check(
    asset=dg.AssetKey(["ops", "quarantine"]),
    name="nothing_in_quarantine",
    description=(
        "No record is in quarantine. (The other records of its list were loaded.) What to do: `fullscript-pipeline "
        "quarantine list` shows the table and the reason; correct the record in Fullscript, or update the program and "
        "run `quarantine replay`."
    ),
)
def nothing_in_quarantine(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    with warehouse.open().read() as con:
        rows = con.execute(
            "SELECT table_name, count(*) FROM ops.quarantine WHERE resolved_at IS NULL GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    tables = ", ".join(f"{table}: {count}" for table, count in rows)
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"records": sum(count for _, count in rows)},
        description=f"Records that could not be loaded: {tables}." if rows else "No record is in quarantine.",
    )


HEALTH_CHECKS = (tokens_are_healthy, budget_is_enough, nothing_in_quarantine)
