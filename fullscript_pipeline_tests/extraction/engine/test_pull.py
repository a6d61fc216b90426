"""A pull against the sandbox over HTTP: what the API holds is what the warehouse holds; interruptions cost little."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, ServerError
from fullscript_pipeline.extraction.engine import Pull
from fullscript_pipeline.extraction.pulls import (
    clinic,
    lab_orders,
    orders,
    treatment_plans,
)
from fullscript_pipeline.warehouse.landing import Request
from fullscript_pipeline_tests.helpers.full_pull import AllClinics
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[AllClinics]:
    with connected_pipeline(tmp_path, patients=8, products=12) as connected:
        yield AllClinics(connected)


def test_after_a_pull_the_warehouse_holds_what_the_api_holds_and_the_next_writes_nothing(cell: AllClinics) -> None:
    cell.pull_everything()
    for slug, facts in cell.connected.sandbox.clinics.items():
        counted = cell.rows(
            f"""SELECT (SELECT count(*) FROM core.patients p WHERE p.clinic_id = c.clinic_id),
            (SELECT count(*) FROM core.treatment_plans p WHERE p.clinic_id = c.clinic_id),
            (SELECT count(*) FROM core.orders p WHERE p.clinic_id = c.clinic_id)
            FROM core.clinics c WHERE c.clinic_id = '{facts["clinic_id"]}'"""
        )
        assert counted == [(facts["patients"], facts["treatment_plans"], facts["orders"])], slug
    assert cell.rows("SELECT count(*) FROM ops.quarantine") == [(0,)]
    unknown = """SELECT count(*) FROM core.order_line_items l WHERE line_type = 'supplement' AND NOT EXISTS (
        SELECT 1 FROM core.variants v WHERE v.variant_id = l.variant_id)
        AND NOT EXISTS (SELECT 1 FROM core.clinic_variants c WHERE c.variant_id = l.variant_id)"""
    assert cell.rows(unknown) == [(0,)]
    _pulling_again_writes_nothing_and_asks_for_a_share_of_the_plans(cell)


def _pulling_again_writes_nothing_and_asks_for_a_share_of_the_plans(cell: AllClinics) -> None:
    control = cell.connected.sandbox.control
    control.reset_requests()
    again = cell.pull_everything()
    assert {
        table: (c.added, c.changed, c.removed) for table, c in again.items() if c.added + c.changed + c.removed
    } == {}
    asked = {row["endpoint"]: row["count"] for row in control.requests()["counts"]}
    patients = sum(facts["patients"] for facts in cell.connected.sandbox.clinics.values())
    assert 0 < asked["/clinic/patients/{patient_id}/treatment_plans"] <= patients / treatment_plans.SWEEP_DAYS + 3
    assert "/events/{id}" not in asked


def test_an_interrupted_walk_asks_only_for_what_it_had_not_landed(
    cell: AllClinics, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = cell.connected.store.clinics.all()[0]
    target = cell.target(one)
    with cell.session(one) as session:
        clinic.pull_patients(target, session)
        real = ClinicSession.pages
        answered: list[str] = []

        def breaks_after_five(self: ClinicSession, name: str, *rest: Any, **more: Any) -> Any:
            if len(answered) >= 5:
                raise ServerError.__new__(ServerError)
            answered.append(name)
            return real(self, name, *rest, **more)

        monkeypatch.setattr(ClinicSession, "pages", breaks_after_five)
        with pytest.raises(ServerError):
            treatment_plans.pull_plans(target, session, [])
        assert cell.rows("SELECT count(*) FROM core.treatment_plans") == [(0,)]
        monkeypatch.undo()
        cell.connected.sandbox.control.reset_requests()
        treatment_plans.pull_plans(target, session, [])
    requests = cell.connected.sandbox.control.requests()
    patients = cell.rows(f"SELECT count(*) FROM core.patients WHERE clinic_id = '{one.clinic_id}'")[0][0]
    assert requests["total"] == patients - 5
    assert cell.rows("SELECT count(*) FROM ops.patient_reads") == [(patients,)]


def test_two_processes_at_one_cell_land_in_files_of_their_own(cell: AllClinics) -> None:
    one = cell.connected.store.clinics.all()[0]
    mine = Pull(cell.target(one), "patients")
    mine.file.append(Request(endpoint="patients", key="x"), [])
    script = """
import sys
from pathlib import Path
from filelock import FileLock
with FileLock(sys.argv[1], timeout=0):
    pass
"""
    lock = mine.file.path.with_suffix(".lock")
    other = subprocess.run([sys.executable, "-c", script, str(lock)], capture_output=True, text=True, check=False)
    assert "Timeout" in other.stderr, "a second process must not get hold of a file that is being filled"
    with cell.session(one) as session:
        assert clinic.pull_patients(cell.target(one), session).counts["patients"].added > 0
    assert not lock.exists()
    assert list(mine.file.path.parent.glob("patients.*.open")) == []


# Keys whose undocumented words are kept as they come, so they differ under the quirk that changes the word.
RAW_WORDS = {
    "extra",
    "content_hash",
    "observed_at",
    "known_at",
    "valid_from",
    "processed_at",
    "last_try_at",
    "completed_at_raw",
    "state_raw",
}
FACTS = (
    *("patients", "treatment_plans", "recommendations", "orders", "order_line_items", "products", "variants"),
    *("lab_order_tests", "lab_order_results"),
)


def facts(directory: Path, quirks: str) -> dict[str, list[tuple[Any, ...]]]:
    """What a pull of a small world leaves in the tables that everything else is made of."""
    with connected_pipeline(directory, clinics=1, patients=6, products=12, quirks=quirks) as connected:
        cell = AllClinics(connected)
        cell.pull_everything()
        told = {}
        for table in FACTS:
            columns = [name for name, *_ in cell.rows(f"DESCRIBE core.{table}") if name not in RAW_WORDS]
            told[table] = sorted(cell.rows(f"SELECT {', '.join(columns)} FROM core.{table}"), key=str)
        told["quarantine"] = cell.rows("SELECT * FROM ops.quarantine")
        return told


@pytest.fixture(scope="module")
def plain_facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    return facts(tmp_path_factory.mktemp("plain"), "")


@pytest.mark.parametrize(
    "quirks",
    [
        pytest.param(
            "other_wrapper_keys,thin_plan_rows,thin_product_rows,thin_order_rows,thin_patient_rows,bare_events",
            marks=pytest.mark.check_all,
        ),
        "nested_without_meta,string_booleans,string_numbers,empty_strings,event_ids_only,lab_words_of_webhooks",
        pytest.param(
            "nested_pages_without_meta,fields_left_out,extra_keys,other_timestamps,unnested_event_data,page_size_25",
            marks=pytest.mark.check_all,
        ),
        pytest.param(
            "filter_local_days,filter_last_day_left_out,event_payload_wrapper,empty_list_has_a_page,error_arrays",
            marks=pytest.mark.check_all,
        ),
        pytest.param(
            "objects_for_ids,variant_ids_only,results_within_tests,product_id_left_out,spaced_timestamps",
            marks=pytest.mark.check_all,
        ),
    ],
)
def test_the_same_facts_arrive_whatever_shape_the_server_chooses(
    tmp_path: Path, quirks: str, plain_facts: dict[str, list[tuple[Any, ...]]]
) -> None:
    assert facts(tmp_path, quirks) == plain_facts


def test_labs_outside_the_us_are_not_asked_for(cell: AllClinics) -> None:
    canadian = next(one for one in cell.connected.store.clinics.all() if one.region == "ca")
    with cell.session(canadian) as session:
        cell.connected.sandbox.control.reset_requests()
        report = lab_orders.pull_labs(cell.target(canadian), session)
    assert report.outcome == "not_available"
    assert cell.connected.sandbox.control.requests()["total"] == 0


def test_a_refused_resource_is_recorded_and_no_failure(tmp_path: Path) -> None:
    with connected_pipeline(tmp_path, patients=6, products=12, scopes="catalog:read clinic:read") as connected:
        cell = AllClinics(connected)
        one = connected.store.clinics.all()[0]
        with cell.session(one) as session:
            for report in (
                clinic.pull_patients(cell.target(one), session),
                orders.pull_orders(cell.target(one), session),
            ):
                assert report.outcome == "not_available"
                assert "patients:" in (report.reason or "")
        outcomes = cell.rows("SELECT resource, outcome, reason IS NOT NULL FROM ops.pulls ORDER BY 1")
        assert outcomes == [("orders", "not_available", True), ("patients", "not_available", True)]


@pytest.fixture
def only_clinic(tmp_path: Path) -> Iterator[AllClinics]:
    with connected_pipeline(tmp_path, world_clinics=1, patients=24, products=12) as connected:
        yield AllClinics(connected)


@pytest.mark.check_all
def test_a_cancelled_plan_and_a_new_order_arrive_with_the_next_pull(only_clinic: AllClinics) -> None:
    cell = only_clinic
    cell.pull_everything()
    before = cell.rows("SELECT count(*) FROM core.orders")[0][0]
    happened = cell.connected.sandbox.control.advance(days=2)
    cell.connected.set_clock()
    cell.pull_everything()
    assert cell.rows("SELECT count(*) FROM core.orders")[0][0] == before + happened["totals"]["orders"]
    cancelled = cell.rows(
        "SELECT count(*) FROM history.treatment_plans WHERE state = 'cancelled' AND day(known_at) = 24"
    )
    assert cancelled[0][0] == happened["totals"]["plans_cancelled"]
    assert happened["totals"]["orders"] > 0 < happened["totals"]["plans_cancelled"]


@pytest.mark.check_all
def test_a_product_that_every_clinic_is_denied_twice_an_hour_apart_is_marked_removed(
    cell: AllClinics, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell.pull_everything()
    happened = cell.connected.sandbox.control.advance(days=2)
    cell.connected.set_clock()
    cell.pull_products()
    # A region whose whole list an app may read needs no second look.
    removed = (
        "SELECT count(*) FROM core.products WHERE removed_at IS NOT NULL "
        "AND region IN (SELECT region FROM ops.pulls WHERE resource = 'products_by_id')"
    )
    listed = "SELECT count(*) FROM core.products WHERE removed_at IS NOT NULL"
    assert happened["totals"]["products_removed"] > 0
    assert cell.rows(removed) == [(0,)], "one look is no proof"
    reasons = cell.rows("SELECT reason FROM ops.pulls WHERE resource = 'products_by_id' AND reason IS NOT NULL")
    assert any("answered 404 for the first time" in reason for (reason,) in reasons)
    monkeypatch.setenv("FULLSCRIPT_NOW", (clock.now() + timedelta(minutes=59)).isoformat())
    cell.pull_products()
    assert cell.rows(removed) == [(0,)]
    monkeypatch.setenv("FULLSCRIPT_NOW", (clock.now() + timedelta(minutes=1)).isoformat())
    cell.pull_products()
    assert cell.rows(removed) > [(0,)]
    assert cell.rows(listed) == [(happened["totals"]["products_removed"],)]
    assert cell.rows("SELECT count(DISTINCT object_id) FROM ops.denials") == cell.rows(removed)
