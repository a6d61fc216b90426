"""Protocols, resources, external ids, deliveries, lab tests, brands and extras against the sandbox over HTTP.

That every row is right is told by the comparison with the API (`compare/`); here: how often what is asked, what a
second pull writes, what a refusal becomes, and what only the sweep finds.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.extraction.pulls import (
    clinic,
    event_feeds,
    lab_orders,
    optional_resources,
    orders,
    protocols_and_resources,
    treatment_plans,
)
from fullscript_pipeline.extraction.pulls.brands import pull_brands
from fullscript_pipeline.extraction.pulls.catalog import pull_products
from fullscript_pipeline_tests.helpers.clinic_pull import OneClinic
from fullscript_pipeline_tests.helpers.event_shapes import bent
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[OneClinic]:
    with connected_pipeline(tmp_path, clinics=1, patients=30, products=30, history_days=90) as connected:
        one = OneClinic(connected)
        clinic.pull_people(one.target, one.session)
        clinic.pull_patients(one.target, one.session)
        one.count_requests()
        yield one
        one.session.close()


def test_the_library_costs_a_list_per_practitioner_and_writes_nothing_twice(cell: OneClinic) -> None:
    reports = protocols_and_resources.pull_library(cell.target, cell.session)
    assert [report.outcome for report in reports] == ["loaded"] * 4
    asked = cell.count_requests()
    assert asked == {
        "/clinic/fullscript_protocols": 1,
        "/clinic/practitioners/{practitioner_id}/protocols": 4,
        "/clinic/fullscript_resources": 1,
        "/clinic/practitioners/{practitioner_id}/resources": 4,
        "/clinic/metadata": 1,
        "/webhooks/deliveries": 1,
    }
    owners = dict(cell.rows("SELECT owner, count(*) FROM core.protocols GROUP BY 1"))
    assert set(owners) == {"fullscript", "practitioner"}
    ownership = {word for (word,) in cell.rows("SELECT DISTINCT ownership FROM core.practitioner_protocols")}
    assert "owned" in ownership
    again = protocols_and_resources.pull_library(cell.target, cell.session)
    written = [(c.added, c.changed, c.removed) for report in again for c in report.counts.values()]
    assert set(written) == {(0, 0, 0)}


def test_what_only_a_practitioner_in_quarantine_holds_stays(cell: OneClinic) -> None:
    protocols_and_resources.pull_library(cell.target, cell.session)
    ((practitioner,),) = cell.rows("SELECT practitioner_id FROM core.practitioner_protocols ORDER BY 1 LIMIT 1")

    def unaskable(path: str, body: Any) -> Any:
        if path == "/clinic/practitioners":
            next(row for row in body["practitioners"] if row["id"] == practitioner)["id"] = "."
        return body

    with bent(unaskable):
        clinic.pull_people(cell.target, cell.session)
        protocols, resources = protocols_and_resources.pull_library(cell.target, cell.session)[:2]
    assert [protocols.counts["protocols"].removed, resources.counts["resources"].removed] == [0, 0]
    assert "1 practitioner in quarantine" in str(protocols.reason)


def test_lab_details_are_read_again_only_where_something_may_have_moved(cell: OneClinic) -> None:
    lab_orders.pull_labs(cell.target, cell.session)
    lab_orders.pull_lab_tests(cell.target, cell.session)
    first = cell.count_requests()
    assert first["/clinic/labs/orders/{id}"] > 0
    assert first["/clinic/labs/tests/{id}"] > 0
    settled = ", ".join(f"'{state}'" for state in lab_orders.SETTLED)
    ((moving,),) = cell.rows(f"SELECT count(*) FROM core.lab_orders WHERE state NOT IN ({settled})")
    report = lab_orders.pull_labs(cell.target, cell.session)
    counts = report.counts["lab_orders"]
    assert (counts.added, counts.changed, counts.removed) == (0, 0, 0)
    again = cell.count_requests().get("/clinic/labs/orders/{id}", 0)
    assert moving <= again <= moving + first["/clinic/labs/orders/{id}"] / 14 + 1
    names = cell.rows(
        """SELECT DISTINCT r.name, t.name FROM core.lab_order_results r JOIN (
            SELECT lab_order_id, min(name) AS name, count(*) AS tests FROM core.lab_order_tests GROUP BY 1
        ) t USING (lab_order_id) WHERE t.tests = 1"""
    )
    assert all(result == test for result, test in names), "the only test names the result"


@pytest.mark.check_all
def test_what_changed_through_the_api_is_found_by_the_sweep_and_counted(cell: OneClinic) -> None:
    def pull(sweep_days: int) -> None:
        clinic.pull_patients(cell.target, cell.session)
        event_feeds.pull_events(cell.target, cell.session, cell.connected.store)
        orders.pull_orders(cell.target, cell.session)
        lab_orders.pull_labs(cell.target, cell.session)
        touched = event_feeds.awaited_plan_ids(cell.target, cell.clinic.clinic_id)
        treatment_plans.pull_plans(cell.target, cell.session, touched, sweep_days)

    pull(14)
    assert cell.rows("SELECT sum(sweep_only_changes) FROM ops.pulls") == [(0,)]
    happened = cell.next_day(days=5)
    pull(1)
    ((found,),) = cell.rows("SELECT sum(sweep_only_changes) FROM ops.pulls WHERE resource = 'treatment_plans'")
    assert happened["totals"]["changes_through_the_api"] > 0
    assert found > 0


def test_a_patient_with_a_new_order_is_read_again_and_nobody_for_an_old_one(cell: OneClinic) -> None:
    orders.pull_orders(cell.target, cell.session)
    treatment_plans.pull_plans(cell.target, cell.session, [])
    with cell.warehouse.read() as con:
        assert treatment_plans.due_patients(con, cell.clinic.clinic_id).affected == ()
    cell.next_day(days=4)
    orders.pull_orders(cell.target, cell.session)
    new = {row[0] for row in cell.rows("SELECT patient_id FROM core.orders WHERE observed_at > DATE '2026-11-23'")}
    with cell.warehouse.read() as con:
        assert set(treatment_plans.due_patients(con, cell.clinic.clinic_id).affected) == new


def test_extras_are_read_once_and_then_by_turns(cell: OneClinic) -> None:
    everything = ("addresses", "templates")
    reports = optional_resources.pull_clinic_extras(cell.target, cell.session, everything)
    assert [report.resource for report in reports] == ["addresses", "templates"]
    first = cell.count_requests()["/clinic/patients/{patient_id}/addresses"]
    optional_resources.pull_clinic_extras(cell.target, cell.session, everything)
    assert 0 < cell.count_requests()["/clinic/patients/{patient_id}/addresses"] <= first / 14 + 1
    assert optional_resources.pull_clinic_extras(cell.target, cell.session, ()) == []
    assert cell.count_requests() == {}


def test_a_restricted_extra_is_refused_with_one_request_and_no_failure(cell: OneClinic) -> None:
    pull_products(cell.target, [cell.session])
    cell.count_requests()
    wanted = ("similar_products", "product_search:vitamin")
    reports = optional_resources.pull_region_extras(cell.target, [cell.session], wanted)
    assert [report.outcome for report in reports] == ["not_available", "not_available"]
    assert sum(cell.count_requests().values()) == 2
    doors = cell.rows("SELECT DISTINCT door, clinic_id FROM core.catalog_coverage")
    assert ("category", cell.clinic.clinic_id) in doors


def test_brands_say_what_is_on_sale_and_what_the_clinic_may_prescribe(cell: OneClinic) -> None:
    brands, permitted = pull_brands(cell.target, [cell.session])
    assert (brands.outcome, permitted.outcome) == ("loaded", "loaded")
    told = cell.rows(
        """SELECT count(*) FILTER (b.clinic_permitted), count(c.brand_id), count(b.available), count(*)
        FROM core.brands b LEFT JOIN core.clinic_brands c USING (brand_id)"""
    )
    ((permitted_brands, listed, known, everything),) = told
    assert permitted_brands == listed < known == everything


def test_dependents_and_guardians_are_found_where_patients_do_not_tell(cell: OneClinic) -> None:
    told = cell.rows("SELECT patient_id, is_dependent, guardian_patient_id FROM core.patients ORDER BY 1")
    guardians = {guardian for _, _, guardian in told if guardian}
    with cell.warehouse.write() as con:
        con.execute("DELETE FROM core.patients")
    cell.connected.sandbox.control.set_response_variants("dependent_keys_left_out")
    for requests in (len(guardians), 1):
        clinic.pull_patients(cell.target, cell.session)
        assert cell.count_requests().get("/clinic/patients/{patient_id}/dependents", 0) <= requests
        now = cell.rows("SELECT patient_id, is_dependent, guardian_patient_id FROM core.patients ORDER BY 1")
        assert now == told
