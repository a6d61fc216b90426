"""What the bill plans is what the pull asks, and a large clinic has one before its first pull."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, Grant
from fullscript_pipeline.api.endpoints import ENDPOINTS
from fullscript_pipeline.extraction.request_estimate.clinic import estimate_clinic, estimate_order_days
from fullscript_pipeline.extraction.request_estimate.estimate import (
    EstimateLine,
    minutes_at_budget,
    requests_by_resource,
)
from fullscript_pipeline.extraction.request_estimate.region import estimate_region
from fullscript_pipeline.resources.clinics import CLINICS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.warehouse_loads import put

DAY = date(2026, 11, 1)
ACME = ClinicRef(server="us-snd", clinic_id="c1", clinic_key="acme", region="us")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore(tmp_path / "state.sqlite") as opened:
        opened.clinics.register("us-snd", "c1", "us", "Acme")
        yield opened


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "w.duckdb")
    migrate(made, [])
    return made


def line_of(lines: list[EstimateLine], endpoint: str) -> EstimateLine:
    return next(line for line in lines if line.endpoint == endpoint)


def test_the_bill_for_50000_patients_before_the_first_pull(store: StateStore) -> None:
    """Nothing was pulled and nothing is asked: the connect counted the patients, and plans cost one request each."""
    now = datetime.now(UTC)
    store.tokens.save_grant(
        ACME,
        Grant(
            user_id="u1",
            user_type="practitioner",
            scopes=("patients:read",),
            obtained_at=now,
            expires_at=now,
            access_token="a",
            refresh_token="r",
            patients_visible=50_000,
        ),
    )
    lines = estimate_clinic(None, ACME, DAY, store=store)
    planned = requests_by_resource(lines)
    assert line_of(lines, "GET /clinic/patients").requests == 500
    assert planned["acme", "treatment_plans"] == 50_000
    assert line_of(lines, "GET /clinic/orders").at_least
    total = sum(planned.values())
    assert 50_500 <= total <= 50_600
    assert minutes_at_budget(total, 4750) == pytest.approx(53.2, abs=0.2)


def test_what_is_not_known_is_asked_with_one_page_each(store: StateStore) -> None:
    asked: list[str] = []

    def ask(_clinic: ClinicRef, endpoint: str) -> int:
        asked.append(endpoint)
        return 50_000

    lines = estimate_clinic(None, ACME, DAY, store=store, count_rows=ask)
    assert {"metadata", "lab_orders", "orders", "patients", "practitioners", "staff"} < set(asked)
    assert set(asked) <= set(ENDPOINTS), "only what can be asked"
    asked.clear()
    estimate_region(None, "us", [ACME], DAY, store=store, count_rows=ask)
    assert set(asked) <= set(ENDPOINTS)
    order_line = line_of(lines, "GET /clinic/orders")
    assert (order_line.requests, order_line.at_least) == (500, False)


def test_what_is_refused_today_and_what_does_not_exist_is_skipped_with_the_reason(store: StateStore) -> None:
    store.refusals.record(ACME, "staff", DAY, "403 for this app")
    line = line_of(estimate_clinic(None, ACME, DAY, store=store), "GET /clinic/staff")
    assert line.requests == 0
    assert "403 for this app" in line.why
    canadian = ClinicRef(server="ca-snd", clinic_id="c2", clinic_key="maple", region="ca")
    line = line_of(estimate_clinic(None, canadian, DAY), "GET /clinic/labs/orders")
    assert line.requests == 0
    assert "US only" in line.why


def test_later_bills_count_who_is_due_and_name_who_is_not(warehouse: Warehouse, store: StateStore) -> None:
    put(warehouse, CLINICS, [{"id": "c1", "patient_count": 28}])
    put(warehouse, PATIENTS, [{"id": f"p{number}"} for number in range(28)])
    put(
        warehouse,
        ORDERS,
        [{"id": f"o{n}", "completed_at": "2026-10-20T10:00:00Z", "line_items": []} for n in range(150)],
    )
    with warehouse.write() as con:
        con.execute("INSERT INTO ops.patient_reads SELECT clinic_id, patient_id, now() FROM core.patients LIMIT 26")
        con.execute(
            "INSERT INTO ops.pulls (pull_id, clinic_id, resource, outcome, complete, observed_at, total_count, "
            "requests, pages) VALUES ('x', 'c1', 'orders', 'loaded', true, now(), 150, 2, 2)"
        )
    with warehouse.read() as con:
        lines = estimate_clinic(con, ACME, DAY, store=store)
        backfill = estimate_order_days(con, ACME, date(2026, 10, 19), date(2026, 10, 21))
    plans = line_of(lines, "GET /clinic/patients/{id}/treatment_plans")
    assert plans.requests < 28
    assert "stored and not due" in plans.why
    assert line_of(lines, "GET /clinic/orders").requests == 2
    assert backfill.requests == 2


def test_a_region_without_the_full_list_goes_by_categories(store: StateStore) -> None:
    lines = estimate_region(None, "us", [ACME], DAY, store=store)
    assert line_of(lines, "GET /catalog/products").requests == 1
    store.refusals.record(ACME, "products", DAY, "restricted")
    lines = estimate_region(None, "us", [ACME], DAY, store=store)
    assert "restricted" in line_of(lines, "GET /catalog/products").why
    assert estimate_region(None, "us", [], clock.now().date()) == []
