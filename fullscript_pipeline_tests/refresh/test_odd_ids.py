"""An id that no address can hold costs its own object: no pull and no refresh ends for it, nobody asks for it."""

from pathlib import Path

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.ids import UNREQUESTABLE
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic

ODD = (".", "..", "a\u0000b", "x" * 501)


def outcome(one: LiveClinic, event_id: str) -> tuple[str | None, str | None]:
    event = one.store.events.get(one.clinic.server, one.clinic.clinic_id, event_id)
    assert event is not None
    return event.outcome, event.reason


@pytest.mark.check_all
def test_a_refresh_closes_what_names_no_object_that_can_be_asked_for(tmp_path: Path) -> None:
    with open_live_clinic(tmp_path, patients=6, products=12) as one:
        patient = next(iter(one.world.patients.values()))
        odd = [one.record_event("patient.updated", {"patient": {"id": value}}) for value in ODD[:2]]
        odd.append(one.record_event("treatment_plan.updated", {"treatment_plan": {"id": "..", "patient": {"id": "."}}}))
        told = {**one.payload(one.record_event("order.placed", {"order": {"id": "."}})), "id": "hook-1"}
        one.receive(told)
        good = one.record_event("patient.updated", {"patient": {"id": patient.id}})
        refresh.ingest_inbox(one.store)
        one.look()
        done, requests = one.handle()
        assert good in done.event_ids
        assert requests["patient"] + requests["patients"] == 1
        # Where the whole list is cheaper than details, nobody learns what the patients' events are about.
        for event_id in (odd[-1], "hook-1"):
            assert outcome(one, event_id) == ("unreadable", UNREQUESTABLE)
        assert outcome(one, good)[0] != "unreadable"
        assert one.store.events.pending(one.clinic.server, one.clinic.clinic_id) == []
        one.look()
        assert one.handle()[0].event_ids == ()


@pytest.mark.parametrize("value", [ODD[0], *(pytest.param(value, marks=pytest.mark.check_all) for value in ODD[1:])])
def test_a_pull_goes_on_past_it(tmp_path: Path, value: str) -> None:
    with open_live_clinic(tmp_path, patients=6, products=12, pulled=False) as one:
        arm = one.connected.sandbox.control.arm
        for endpoint in ("patients", "staff", "orders", "treatment_plans", "labs/orders", "categories", "events/*"):
            arm("odd_id", endpoint=f"*/{endpoint}", count=None, value=value)
        one.pull_everything()
        (patients,) = one.rows("SELECT count(*) FROM core.patients")
        assert patients == (len(one.world.patients) - 1,)
        plans = [plan for plan in one.world.plans.values() if plan.record["state"] != "draft"]
        (stored,) = one.rows("SELECT count(*) FROM core.treatment_plans")
        assert 0 < stored[0] < len(plans) + 1
        told = one.rows("SELECT DISTINCT table_name, reason FROM ops.quarantine ORDER BY 1")
        assert {reason for _, reason in told} == {f"the record cannot be asked for: {UNREQUESTABLE}"}
        assert {"patients", "orders", "staff"} <= {table for table, _ in told}
        assert one.rows("SELECT count(*) FROM ops.pulls WHERE outcome <> 'loaded' AND resource = 'orders'") == [(0,)]
        # A row that cannot be asked for is none of the others: what else is missing may still be found gone.
        assert one.rows("SELECT bool_and(complete) FROM ops.pulls WHERE resource IN ('patients', 'staff')") == [(True,)]
        refresh.ingest_inbox(one.store)
        one.look()
        one.handle()
        asked = one.connected.sandbox.control.requests()["counts"]
        assert not [row for row in asked if row["status"] >= 400 and row["status"] != 403]


@pytest.mark.check_all
def test_what_refers_to_it_stays_without_it(tmp_path: Path) -> None:
    with open_live_clinic(tmp_path, patients=6, products=12) as one:
        order, plan = next(iter(one.world.orders.values())), one.active_plans()[0]
        order["patient_id"] = "."
        order["line_items"][0]["variant_id"] = ".."
        plan.record["practitioner"] = {"id": "."}
        one.change_plan(plan)
        one.just_now()
        one.pull_everything()
        assert one.rows("SELECT count(*) FROM core.orders WHERE patient_id IS NULL") == [(1,)]
        assert one.rows("SELECT count(*) FROM core.order_line_items WHERE variant_id IS NULL") == [(1,)]
        assert one.rows("SELECT table_name FROM ops.quarantine") == []
