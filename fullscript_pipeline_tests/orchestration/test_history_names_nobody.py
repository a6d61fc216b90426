"""Dagster's history holds no id of a patient, nor of what is theirs, however a request fails: purge need not reach it.

What does not belong here: names and other health data (`soak.secrecy`).
"""

from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

# Endpoints with an id in their path, and a filter by one.
ASKED_BY_ID = (
    "/clinic/patients/{patient_id}/treatment_plans",
    "/clinic/treatment_plans/{id}",
    "/clinic/orders/{id}",
    "/clinic/patients/{id}",
)


@pytest.mark.check_all
def test_a_failure_names_no_patient_in_dagsters_history(tmp_path: Path) -> None:
    with connected_pipeline(tmp_path, clinics=1, patients=6, products=10) as connected:
        (clinic,) = connected.store.clinics.all()
        slug = next(iter(connected.sandbox.clinics))
        with connected.sandbox.client(slug) as client:
            people = client.get("/clinic/patients", params={"patient_type": "all", "page[size]": "100"}).json()
            orders = client.get("/clinic/orders", params={"page[size]": "100"}).json()
        ids = {one["id"] for one in (*people["patients"], *orders["orders"])}
        assert len(ids) > 6
        for endpoint in ASKED_BY_ID:
            connected.sandbox.control.arm("html_200", endpoint=endpoint, count=None)
        instance = open_instance(connected.settings)
        add_clinic_partitions(instance, connected.store)
        day = clock.today(connected.settings.time_zone)
        code, outcomes = execute_runs(
            instance,
            [PlannedRun(label="a day", job="clinic_daily", partition=clinic_partition(clinic.clinic_key, day))],
        )
        instance.dispose()
        sentences = " ".join(failure.sentence for _, outcome in outcomes for failure in outcome.failures)
        assert code == 69
        assert "/clinic/patients/{patient_id}/treatment_plans" in sentences
        held = {
            path.name: sorted(one for one in ids if one.encode() in path.read_bytes())
            for path in connected.settings.dagster_home.rglob("*")
            if path.is_file()
        }
    assert {name: found for name, found in held.items() if found} == {}
    assert held, "there is a history"
